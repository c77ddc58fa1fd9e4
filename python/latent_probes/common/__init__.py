"""Shared helpers: paths, atomic files, terminal output, SQL literals."""
