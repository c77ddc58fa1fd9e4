"""Report on the contrast between the atom and another text."""

from __future__ import annotations

from latent_probes import warehouse
from latent_probes.common.home import Home
from latent_probes.reports.tables import print_table


def show(home: Home) -> None:
    """Show how often each method gives the atom a higher probability than the wrong answer.

    If splits were resampled, also than what the source model also says there.
    """
    with warehouse.opened(home) as connection:
        print_table(
            connection,
            "Contrast: log P(atom) vs log P(wrong answer), lenses pooled over lengths",
            """
            select
                method, scope, target, n_probes as probes, round(n_effective)::bigint as effective,
                accuracy, accuracy_low as low, accuracy_high as high,
                if(
                    text_only_baseline = 'guess', 'guess', printf('%.3f', text_only_accuracy)
                ) as "text-only",
            from contrast
            where
                measure in ('total', 'rule') and target != 'all' and typicality = 'all'
                and lens_length in ('none', 'pooled')
            order by method, scope, target
            """,
            optional=("effective",),
            table="contrast",
        )
        ((is_resampled,),) = connection.execute(
            "select count(*) > 0 from contrast where n_resampled > 0"
        ).fetchall()
        if is_resampled:
            print_table(
                connection,
                "Contrast: log P(atom) vs log P(resampled text), to compare methods",
                """
                select
                    method, scope, n_resampled as probes, resampled_accuracy as accuracy,
                    resampled_accuracy_low as low, resampled_accuracy_high as high,
                from contrast
                where
                    n_resampled > 0 and measure = 'total' and target = 'suffix'
                    and lens_length in ('none', 'pooled')
                order by method, scope
                """,
            )
