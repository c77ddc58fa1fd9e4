"""Rollouts: prefixes cut from pages, source models, continuations and resamples."""
