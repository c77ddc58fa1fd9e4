"""The warehouse: built from SQL that dbt compiled, read by the queue, the reports and the export.

``functions`` are those that SQL lacks, and ``plugin`` gives them to dbt.
"""

from latent_probes.warehouse.builds import (
    build,
    build_before_run,
    build_part,
    build_queue,
    refuse_invalid_files,
    test_queue,
)
from latent_probes.warehouse.compilation import compile_here, compiled
from latent_probes.warehouse.copies import built_here_or_beside, show_last_build
from latent_probes.warehouse.errors import WarehouseError
from latent_probes.warehouse.faults import ProjectError
from latent_probes.warehouse.opening import attach, is_calibration, opened, settings
from latent_probes.warehouse.stamps import is_current, project_hash, state

__all__ = [
    "ProjectError",
    "WarehouseError",
    "attach",
    "build",
    "build_before_run",
    "build_part",
    "build_queue",
    "built_here_or_beside",
    "compile_here",
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
