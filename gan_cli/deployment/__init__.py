"""gan-export: trained networks in the formats of other programs, with a model card."""
