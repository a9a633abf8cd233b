"""gan_cli: train generative adversarial networks from the command line."""
