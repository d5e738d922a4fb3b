"""Hierarchical Bayes: priors, a whitened posterior, its draws and their checks."""
