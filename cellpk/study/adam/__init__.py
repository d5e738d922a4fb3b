"""ADaM: what the data sets of an analysis mean, read and written."""
