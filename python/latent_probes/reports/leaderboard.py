"""Leaderboard of the evaluated methods."""

from __future__ import annotations

from latent_probes import warehouse
from latent_probes.common.home import Home
from latent_probes.reports.tables import print_table


def show(home: Home) -> None:
    """Show the evaluated methods, best first, and the effect of the real state on each."""
    with warehouse.opened(home) as connection:
        print_table(
            connection,
            "Methods",
            """
            select
                place, oracle as method, condition, n_probes as probes, n_missing as missing,
                n_unscored as unscored, hard_score as "HARD", hard_lift as lift,
                hard_lift_low as "from", hard_lift_high as "to", easy_score as "EASY"
            from oracle_leaderboard order by place
            """,
            optional=("place", "unscored", "EASY"),
        )
        print_table(
            connection,
            "Effect of the real state on HARD probes",
            """
            select
                oracle as method, condition as "compared with", n_probes as probes, difference,
                difference_low as "from", difference_high as "to"
            from oracle_state_effects where band = 'hard' order by oracle, condition
            """,
            optional=("probes",),
        )
