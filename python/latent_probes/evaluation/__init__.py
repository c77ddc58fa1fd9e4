"""Methods that are evaluated, levels that are compared, people who rate."""
