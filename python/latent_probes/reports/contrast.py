"""Report on the contrast between atom and wrong answer."""

from __future__ import annotations

from latent_probes import warehouse
from latent_probes.common.home import Home
from latent_probes.reports.tables import print_table


def show(home: Home) -> None:
    """Show how often each method gives the atom a higher probability than the wrong answer."""
    with warehouse.opened(home) as connection:
        print_table(
            connection,
            "Contrast: log P(atom) vs log P(wrong answer), lenses pooled over lengths",
            """
            select
                method, scope, target, n_probes as probes, round(n_effective)::bigint as effective,
                accuracy, accuracy_low as low,
                accuracy_high as high, auc, margin_mean as "mean margin",
                text_only_accuracy as "text-only",
            from contrast
            where
                measure in ('total', 'rule') and target != 'all' and typicality = 'all'
                and lens_length in ('none', 'pooled')
            order by method, scope, target
            """,
            optional=("mean margin", "auc", "effective"),
        )
