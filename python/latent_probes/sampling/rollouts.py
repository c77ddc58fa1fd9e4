"""Sample rollouts of a source model and land them; a killed run can be rerun.

The keys are K siblings for each prefix; those that have not landed are sampled. Each rollout has
its own seed, derived from the run's seed and its key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow

from latent_probes import landing
from latent_probes.common import terminal
from latent_probes.sampling.prefixes import Prefix

# The columns of `rollouts`, and the row number, which orders rows as they land.
ROLLOUTS = pyarrow.schema(
    {
        "source_hash": pyarrow.string(),
        "source_name": pyarrow.string(),
        "row_number": pyarrow.int64(),
        "source_model": pyarrow.string(),
        "doc_id": pyarrow.string(),
        "continuation_idx": pyarrow.int64(),
        "doc_source": pyarrow.string(),
        "prefix": pyarrow.large_string(),
        "continuation": pyarrow.large_string(),
        "sampling": pyarrow.string(),
        "prefix_tokens": pyarrow.list_(pyarrow.int32()),
        "continuation_tokens": pyarrow.list_(pyarrow.int32()),
    }
)


class SamplingError(Exception):
    """Rollouts cannot be sampled, or not under this name; the message says what to do."""


@dataclass(frozen=True)
class Settings:
    """Sampling settings. ``top_p`` 1, ``top_k`` 0 and ``min_p`` 0 keep all tokens."""

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    max_new_tokens: int
    seed: int


@dataclass(frozen=True)
class Wanted:
    """A rollout to sample, with its own seed."""

    prefix: Prefix
    continuation_idx: int
    sampling_seed: int


@dataclass(frozen=True)
class Sampled:
    """A sampled rollout: its text, prompt and sampled token ids if known, and how it ended.

    ``finish_reason`` is ``stop`` (the model ended its text) or ``length``.
    """

    wanted: Wanted
    text: str
    prefix_tokens: list[int] | None
    continuation_tokens: list[int] | None
    finish_reason: str


class Model(Protocol):
    """A source model, in this process or on a server."""

    # `settings` determine the text, `environment` at most the last bits of a logit.
    settings: dict
    environment: dict

    def sample(
        self,
        wanted: list[Wanted],
        settings: Settings,
        land: Callable[[list[Sampled]], None],
    ) -> None:
        """Sample all of ``wanted``, and land the results in pieces."""


def sampling_seed(seed: int, doc_id: str, continuation_idx: int) -> int:
    """The seed of one rollout, from 0 to 2**63 - 1."""
    key = json.dumps([seed, doc_id, continuation_idx])
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 1


def sample_rollouts(
    landing_path: Path,
    model: Model,
    source_model: str,
    prefixes: list[Prefix],
    siblings: int,
    settings: Settings,
    origin: dict,
) -> int:
    """Sample the siblings that have not landed; return how many landed.

    ``origin`` describes the origin of the prefixes. Raises SamplingError if rollouts of this name
    were sampled with other settings or from other prefixes.
    """
    source = source_of(source_model, model, settings, origin)
    with landing.opened(landing_path) as connection:
        refuse_other_settings(connection, source_model, source["details"]["settings"])
        known = landing.known_siblings(connection, source_model)
    refuse_other_prefixes(known, source_model, prefixes)
    wanted = [
        Wanted(prefix, index, sampling_seed(settings.seed, prefix.doc_id, index))
        for prefix in prefixes
        for index in range(siblings)
        if prefix.doc_id not in known or index not in known[prefix.doc_id].indices
    ]
    if not wanted:
        return 0
    n_landed = 0
    with terminal.progress("sampling", len(wanted), "rollouts") as advance:

        def land(sampled: list[Sampled]) -> None:
            nonlocal n_landed
            with landing.opened(landing_path) as connection:
                n_landed += landing.add_sampled(
                    connection,
                    {**source, "details": canonical(source["details"])},
                    rows_of(source, source_model, settings, sampled),
                )
            advance(len(sampled))

        model.sample(wanted, settings, land)
    return n_landed


def source_of(name: str, model: Model, settings: Settings, origin: dict) -> dict:
    """The row of ``rollout_sources`` for a run with these settings."""
    details = {
        "settings": model.settings | asdict(settings),
        "environment": model.environment,
        "prefixes": origin,
    }
    return {
        "source_hash": hashlib.sha256(canonical(details).encode()).hexdigest(),
        "kind": "sampler",
        "name": name,
        "details": details,
    }


def canonical(value: object) -> str:
    """JSON with sorted keys and no white space, so equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def rows_of(
    source: dict, source_model: str, settings: Settings, sampled: list[Sampled]
) -> pyarrow.Table:
    """Rows to land."""
    return pyarrow.Table.from_pylist(
        [
            {
                "source_hash": source["source_hash"],
                "source_name": source["name"],
                "row_number": number,
                "source_model": source_model,
                "doc_id": row.wanted.prefix.doc_id,
                "continuation_idx": row.wanted.continuation_idx,
                "doc_source": row.wanted.prefix.doc_source,
                "prefix": row.wanted.prefix.text,
                "continuation": row.text,
                "sampling": sampling_of(settings, row),
                "prefix_tokens": row.prefix_tokens,
                "continuation_tokens": row.continuation_tokens,
            }
            for number, row in enumerate(sampled)
        ],
        schema=ROLLOUTS,
    )


def sampling_of(settings: Settings, row: Sampled) -> str:
    """Sampling settings of one rollout, as JSON."""
    drawing = asdict(settings)
    del drawing["seed"]
    return json.dumps(
        drawing | {"sampling_seed": row.wanted.sampling_seed, "finish_reason": row.finish_reason}
    )


def refuse_other_settings(
    connection: duckdb.DuckDBPyConnection, source_model: str, settings: dict
) -> None:
    """Raise if rollouts of this name were sampled with other settings."""
    for kind, name, details in landing.sources_of(connection, source_model):
        if kind != "sampler":
            raise SamplingError(
                f"rollouts of {source_model!r} have landed from {name}: choose another name with "
                "--source-model"
            )
        if differing := differences(details["settings"], settings):
            raise SamplingError(
                f"rollouts of {source_model!r} were sampled with {differing}: use the "
                "same, or choose another name with --source-model"
            )


def differences(landed: dict, settings: dict) -> str:
    """List the settings that differ from the landed ones, for a message."""
    return ", ".join(
        f"{key} {landed.get(key)}, not {settings.get(key)}"
        for key in sorted(landed | settings)
        if landed.get(key) != settings.get(key)
    )


def refuse_other_prefixes(known: dict, source_model: str, prefixes: list[Prefix]) -> None:
    """Raise if a document has landed with another prefix: siblings must share theirs."""
    for prefix in prefixes:
        landed = known.get(prefix.doc_id)
        if landed and (landed.prefix, landed.doc_source) != (prefix.text, prefix.doc_source):
            raise SamplingError(
                f"document {prefix.doc_id!r} of {source_model!r} has landed with a different "
                "prefix or url: cut it as before (same page, --seed, --min-prefix and "
                "--max-prefix), or choose another name with --source-model"
            )
