"""Data: what samples look like, the data sets, the files they come from, and feeds of batches."""
