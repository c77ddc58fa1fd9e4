"""Summary of an export."""

from __future__ import annotations

import duckdb
from rich.text import Text

from latent_probes import publication, warehouse
from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.reports.tables import print_table, shown


def show(home: Home) -> None:
    """Show the summary of an export: counts, rejections, histogram, one probe, files."""
    with warehouse.opened(home) as connection:
        print_table(
            connection,
            "Slots",
            """
            select
                scope, n_slots as slots, n_probes as probes, n_rejected as rejected,
                n_scored as scored, score_max_mean as "mean max score"
            from scope_summary order by scope_order
            """,
        )
        print_table(
            connection,
            "Rejections",
            """
            select rejection_reason as reason, n_slots as slots, meaning
            from rejection_summary order by slots desc, reason
            """,
        )
        if connection.execute("from train limit 1").fetchall():
            histogram(connection)
            one_probe(connection)
        else:
            terminal.say("No probe was published: every round is withdrawn or has none.")
    for path in sorted(publication.files_in(home.export)):
        terminal.say(f"{path.stat().st_size:>12,} bytes  {path}")


def histogram(connection: duckdb.DuckDBPyConnection) -> None:
    """Show the distribution of the probes' best scores as text bars."""
    rows = connection.execute(
        "select label, n_probes, share, upper(band) from score_histogram order by bin"
    ).fetchall()
    terminal.console.print(Text("\nMax score", style="bold"))
    for label, n_probes, share, band in rows:
        terminal.say(f"  {label}  {n_probes:>7,}  {share:>6.1%}  {terminal.bar(share)} {band}")


def one_probe(connection: duckdb.DuckDBPyConnection) -> None:
    """Show the scored probe nearest to the middle score, without its complete document."""
    found = connection.execute(
        """
        select column_name, example from example_probe
        where example is not null and column_name not in ('doc', 'doc_id', 'row_seed', 'row_splits')
        order by position
        """
    ).fetchall()
    terminal.console.print(Text("\nOne probe", style="bold"))
    for name, value in found:
        terminal.console.print(Text.assemble((f"  {name}: ", "cyan"), shown(value)), soft_wrap=True)
    terminal.console.print()
