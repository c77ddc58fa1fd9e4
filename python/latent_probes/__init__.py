"""Make, score, test and publish probing questions for activation oracles."""
