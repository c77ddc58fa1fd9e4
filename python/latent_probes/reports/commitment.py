"""Report on resampled continuations."""

from __future__ import annotations

from latent_probes import warehouse
from latent_probes.common import terminal
from latent_probes.common.home import Home


def say_what_was_cut(home: Home, source_model: str) -> None:
    """Say how many passages do not count because they ended before the atom's place."""
    with warehouse.opened(home) as connection:
        ((n_cut, n_passages, n_unmeasured, n_probes),) = connection.execute(
            """
            select
                coalesce(sum(n_cut), 0)::bigint,
                coalesce(sum(n_resamples), 0)::bigint,
                count(*) filter (where n_cut = n_resamples),
                count(*),
            from commitment
            where source_model = $source_model
            """,
            {"source_model": source_model},
        ).fetchall()
    if n_cut:
        terminal.say(
            f"{n_cut:,} of {n_passages:,} passages were cut before the atom's place (n_cut) and do "
            f"not count; {n_unmeasured:,} of {n_probes:,} probes have only such passages. "
            "--max-new-tokens should be at least that of the rollouts."
        )
