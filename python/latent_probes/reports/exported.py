"""Summary of an export."""

from __future__ import annotations

import duckdb
from rich.text import Text

from latent_probes import publication, warehouse
from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.reports.tables import print_fields, print_table


def show(home: Home) -> None:
    """Show the summary of an export: counts, rejections, histogram, examples, files."""
    with warehouse.opened(home) as connection:
        print_table(
            connection,
            "Slots",
            """
            select
                scope, n_slots as slots, n_probes as probes, n_rejected as rejected,
                n_scored as scored, score_max_mean as "mean best score"
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
            examples(connection)
        else:
            terminal.say("No probe was published: every round is withdrawn or has none.")
    for path in sorted(publication.files_in(home.export)):
        terminal.say(f"{path.stat().st_size:>12,} bytes  {path}")


def histogram(connection: duckdb.DuckDBPyConnection) -> None:
    """Show the distribution of the probes' best scores as text bars."""
    rows = connection.execute(
        "select label, n_probes, share, upper(band) from score_histogram order by bin"
    ).fetchall()
    terminal.console.print(Text("\nBest score of a probe", style="bold"))
    for label, n_probes, share, band in rows:
        terminal.say(f"  {label}  {n_probes:>7,}  {share:>6.1%}  {terminal.bar(share)} {band}")


def examples(connection: duckdb.DuckDBPyConnection) -> None:
    """Show a HARD probe, an EASY probe and a slot without a probe, as far as there are any."""
    found = connection.execute(
        """
        select
            kind,
            scope,
            doc_id,
            slot_idx,
            score_max,
            {
                'context': if(target = 'suffix', complement || '█', '█' || complement),
                'question': verbalizer_prompt,
                'atom': atom_text,
                'correct answer': target_response,
                'wrong answer': incorrect_plausible_answer,
                'best answer': best_answer,
                'scores': array_to_string(scores, ', '),
                'rejected': rejection_reason,
                'reason': explanation
            },
        from example_slots
        order by list_position(['HARD', 'EASY', 'rejected'], kind)
        """
    ).fetchall()
    for kind, scope, doc_id, slot_idx, score, fields in found:
        title = "No probe" if kind == "rejected" else f"{kind}, best score {score:.2f}"
        print_fields(f"{title}: {scope}, slot {slot_idx} of document {doc_id}", fields)
    terminal.console.print()
