"""Make the documentation as one folder that can be published as it is.

It has the Markdown pages, dbt's page of tables and columns, and the lineage of columns:

    LATENT_PROBES_HOME=demo python docs/site/make.py site

Needs the extra `docs`, and a home whose warehouse is built.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pages


def main() -> None:
    """Make the folder that is given as argument."""
    site, target = Path(sys.argv[1]), pages.ROOT / os.environ["LATENT_PROBES_HOME"] / "target"
    shutil.rmtree(site, ignore_errors=True)
    written = pages.write(site)
    tables = site / pages.TABLES
    tables.parent.mkdir(parents=True)
    dbt = Path(sys.executable).with_name("dbt")
    options = ("--static", "--quiet", "--target-path", str(target))
    subprocess.run([dbt, "docs", "generate", *options], cwd=pages.ROOT, check=True)
    shutil.copyfile(target / "static_index.html", tables)
    n_unread = draw_lineage(target, site / pages.COLUMNS)
    if broken := list(pages.broken_links(written)):
        sys.exit("\n".join(broken))
    print(
        f"made {site}: {len(written)} pages, tables, and the lineage of all but {n_unread} columns"
    )


def draw_lineage(target: Path, page: Path) -> int:
    """Write the page of column lineage from dbt's artifacts in ``target``.

    Returns the number of columns whose SQL could not be followed, such as those of recursive
    queries.
    """
    # Its command would ask the network for a newer version, and its page send statistics.
    from dbt_colibri.lineage_extractor.extractor import DbtColumnLineageExtractor
    from dbt_colibri.report.generator import DbtColibriReportGenerator

    unread = Unread()
    for name in ("colibri", "sqlglot"):
        logger = logging.getLogger(name)
        logger.addHandler(unread)
        logger.propagate = False
    read = DbtColumnLineageExtractor(str(target / "manifest.json"), str(target / "catalog.json"))
    DbtColibriReportGenerator(read, disable_telemetry=True).generate_report(str(page.parent))
    # The same as in the page.
    (page.parent / "colibri-manifest.json").unlink()
    return len(unread.columns)


class Unread(logging.Handler):
    """Collects the columns that messages are about."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.columns: set[tuple[str, ...]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if found := re.search(r"model (\S+), column (\S+):", record.getMessage()):
            self.columns.add(found.groups())


if __name__ == "__main__":
    main()
