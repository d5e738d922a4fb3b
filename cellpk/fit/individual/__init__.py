"""A model fitted to each patient alone."""
