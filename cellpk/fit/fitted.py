"""Fits to all patients together, on which diagnostics work."""

from cellpk.fit.bayes.result import BayesFit
from cellpk.fit.population.result import PopulationFit

FittedPopulation = PopulationFit | BayesFit
"""A model fitted to all patients together, by maximum likelihood or by Bayes.

Diagnostics, and the figures of them, use what both have: ``model, study, data,
patients, asked, seed``; ``structure``; ``state``, the estimates, by Bayes the posterior
means; ``expected``, ``posteriors``, ``deviations`` and ``shrinkage`` of the patients;
``converged`` and ``doubts``; ``population(number, rng)``, the estimates again and again
or draws; and ``kind`` and ``trials``, words for sentences.
"""
