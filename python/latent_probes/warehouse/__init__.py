"""The warehouse: built by dbt in this process, read by the queue, the reports and the export.

``functions`` is the dbt plugin with the functions that SQL lacks.
"""

from latent_probes.warehouse.builds import (
    build,
    build_before_run,
    build_queue,
    refuse_invalid_files,
    test_queue,
)
from latent_probes.warehouse.copies import built_here_or_beside, show_last_build
from latent_probes.warehouse.dbt import WarehouseError, call_dbt, close_connections, compiled
from latent_probes.warehouse.faults import ProjectError
from latent_probes.warehouse.opening import attach, is_calibration, opened, settings
from latent_probes.warehouse.stamps import is_current, project_hash, state

__all__ = [
    "ProjectError",
    "WarehouseError",
    "attach",
    "build",
    "build_before_run",
    "build_queue",
    "built_here_or_beside",
    "call_dbt",
    "close_connections",
    "compiled",
    "is_calibration",
    "is_current",
    "opened",
    "project_hash",
    "refuse_invalid_files",
    "settings",
    "show_last_build",
    "state",
    "test_queue",
]
