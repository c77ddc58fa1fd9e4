"""What ends a build on a cluster."""

from __future__ import annotations


class ClusterError(Exception):
    """A part cannot be built; the message gives the part, the reason and what to do."""
