"""How many words and lenses of a home overlap, and what they count for: bench/overlaps.py [HOME]

HOME is a home directory with a finished round (default: demo). The effective number is that of a
simulated figure: an atom that is nested in a lens has the lens's outcome with a given probability,
otherwise its own; outcomes are 0 or 1 with equal probability. The mean of 200 simulations.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from latent_probes.common import sql
from latent_probes.common.home import Home

ROOT = Path(__file__).parents[1]
ALIKE = (0.0, 0.5, 1.0)
FIGURES = f"""
with outcomes as (
    select
        simulation, alike, scope, target, source_model, doc_id, is_nested,
        if(
            is_nested
            and {sql.macro("seeded_share", ("'alike'", "simulation", "probe_id"))} < alike,
            longest,
            probe_id
        ) as decisive,
        round({sql.macro("seeded_share", ("simulation", "decisive"))})::integer as outcome,
    from (
        select
            *,
            first_value(probe_id) over (
                partition by document_id, target order by scope = 'lens' desc, n_tokens desc
            ) as longest,
        from probes
        where scope in ('word', 'lens')
    )
    cross join (select unnest($alike) as alike)
    cross join (select unnest(range(200)) as simulation)
),
by_document as (
    select
        simulation, alike, scope, target, doc_id,
        count(*) as n_probes, count(*) filter (where is_nested) as n_nested,
        sum(outcome) as outcome, sum(outcome ** 2) as squared,
    from outcomes
    group by all
),
figures as (
    select
        simulation, alike, scope, target, sum(n_probes) as n_probes, sum(n_nested) as n_nested,
        {sql.macro("effective_number", "outcome", "squared", "n_probes")} as n_effective,
    from by_document
    group by all
)
select
    scope, target, any_value(n_probes), any_value(n_nested),
    list(n_effective order by alike) as n_effective,
from (
    select
        scope, target, alike, any_value(n_probes) as n_probes, any_value(n_nested) as n_nested,
        avg(n_effective) as n_effective,
    from figures
    group by all
)
group by scope, target
order by scope, target
"""


def main() -> None:
    """Print one line per scope and target."""
    home = Home(ROOT, Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
    print(f"{'':14} {'':>7} {'':>7} {'effective number, if nested atoms are':>44}")
    kinds = ("independent", "half alike", "alike")
    print(f"{'':14} {'probes':>7} {'nested':>7} " + "".join(f"{kind:>15}" for kind in kinds))
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        for scope, target, n_probes, n_nested, numbers in connection.execute(
            FIGURES, {"alike": list(ALIKE)}
        ).fetchall():
            cells = "".join(f"{number:>15.1f}" for number in numbers)
            print(f"{scope + ', ' + target:14} {n_probes:>7,} {n_nested:>7,} {cells}")


if __name__ == "__main__":
    main()
