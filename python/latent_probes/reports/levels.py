"""Report on the levels of a calibration."""

from __future__ import annotations

from latent_probes import warehouse
from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.reports.tables import print_table


def show(home: Home) -> None:
    """Show the results of each level and recommend one."""
    with warehouse.opened(home) as connection:
        measures = {
            "finalize rate": "finalized",
            "mean best score": "mean best score",
            "standard deviation of best score": "spread",
            "share hard": "HARD",
            "share easy": "EASY",
            "dollars of a document": "dollars a document",
        }
        columns = ", ".join(
            f"any_value(shown) filter (where measure = '{measure}') as \"{name}\""
            for measure, name in measures.items()
        )
        print_table(
            connection,
            "Levels",
            f"""
            with shown as (
                select
                    calibration_level as level, measure,
                    coalesce(format('{{:.3f}}', estimate), 'unknown')
                    || coalesce(
                        format(' ({{:.3f}} to {{:.3f}})', estimate_low, estimate_high), ''
                    ) as shown
                from calibration_sweep where scope = 'all'
            )
            select level, {columns} from shown group by level order by level
            """,
            optional=("spread",),
            table="calibration_sweep",
        )
        for level, mean, aim in connection.execute(
            "select calibration_level, score_max_mean, goal_score_max_mean from recommended_level"
        ).fetchall():
            terminal.say(
                f"Recommended: level {level}: its mean best score, {mean:.3f}, is nearest to {aim}."
            )
