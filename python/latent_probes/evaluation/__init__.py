"""Evaluation: activation oracles, calibration levels, human ratings."""
