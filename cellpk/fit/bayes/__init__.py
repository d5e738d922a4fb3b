"""Hierarchical Bayes: the posterior of a population and its patients."""
