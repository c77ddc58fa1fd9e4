"""Leaderboard of the evaluated methods."""

from __future__ import annotations

from latent_probes import warehouse
from latent_probes.common.home import Home
from latent_probes.reports.tables import print_table


def show(home: Home) -> None:
    """Show the methods by what the real state adds, those without a place, and words and lenses."""
    with warehouse.opened(home) as connection:
        print_table(
            connection,
            "Methods by what the real state adds to HARD suffix probes",
            """
            select
                place, oracle as method, headline, headline_low as "from", headline_high as "to",
                n_documents as documents,
                minus_no_state as "minus no state",
                n_no_state as "probes (no state)",
                minus_other_state as "minus another document's",
                n_other_state as "probes (another's)",
                n_missing_no_state + n_missing_other_state as missing,
                n_empty_no_state + n_empty_other_state as empty, easy_score as "EASY",
                n_easy as "EASY probes"
            from oracle_leaderboard
            where is_headline and headline is not null
            order by place, headline desc, oracle
            """,
            optional=(
                *("probes (another's)", "EASY", "EASY probes", "probes (no state)"),
                *("empty", "missing"),
            ),
            table="oracle_leaderboard",
        )
        print_table(
            connection,
            "Methods without a place",
            """
            select
                oracle as method, no_place_reason as reason, n_unscored as unscored,
                n_missing_no_state + n_missing_other_state as missing,
                n_empty_no_state + n_empty_other_state as empty
            from oracle_leaderboard
            where is_headline and place is null and not is_baseline
            order by oracle
            """,
            optional=("empty", "missing", "unscored"),
            table="oracle_leaderboard",
        )
        print_table(
            connection,
            "Words and lenses: contrast accuracy, and minus that of a text reader",
            """
            select
                oracle as method, scope, target, n_contrasted as probes,
                round(n_contrasted_effective)::bigint as effective, contrast_accuracy as accuracy,
                contrast_difference as difference,
                contrast_difference_low as "from", contrast_difference_high as "to"
            from oracle_leaderboard
            where n_contrasted is not null and target != 'all' and fold = 'all'
            order by oracle, scope, target
            """,
            optional=("probes", "effective"),
            table="oracle_leaderboard",
        )
