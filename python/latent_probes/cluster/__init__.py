"""Build the warehouse on a cluster: prefixes and rounds in tasks, everything else here.

A round is the unit of scale: between its draw and its published rows no model looks outside it. So
tasks make the tables of parts (some prefixes, or one round), each in a DuckDB of its own, from the
rows of the landing file that belong to the part. They write Parquet files to a storage that all
machines reach. One coordinator, which has the home, unites these files and makes the other tables.
Tasks never write to the landing file and never ask a model.

``scales`` says which table is made where, ``slices`` divides the rows, ``parts`` is the task,
``coordinator`` runs it all on an engine: ``engines``. ``storage`` is a folder or an object store.
"""

from latent_probes.cluster.coordinator import build
from latent_probes.cluster.faults import ClusterError

__all__ = ["ClusterError", "build"]
