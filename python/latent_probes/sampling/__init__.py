"""Sampling: prefixes cut from pages, source models, rollouts and resamples."""
