"""Resample continuations from the splits of suffix probes: was the content already decided?

Seeds and resuming work as in ``rollouts``; the results are models in models/evaluation/commitment.
"""

from __future__ import annotations

from dataclasses import asdict

import duckdb
import pyarrow

from latent_probes import landing, warehouse
from latent_probes.common import sql, terminal
from latent_probes.common.home import Home
from latent_probes.rollout_files.mapping import SAMPLING_COLUMNS
from latent_probes.sampling import rollouts as sampling
from latent_probes.sampling.prefixes import Prefix
from latent_probes.sampling.rollouts import Model, Sampled, SamplingError, Settings, Wanted
from latent_probes.sampling.tokenizing import bare_name
from latent_probes.table_files.columns import accepts

# Continuations whose prefixes are in memory at a time.
SLICE = 1024
RESAMPLES = pyarrow.schema(
    {
        name: pyarrow.string() if name == "prefix_hash" else sampling.ROLLOUTS.field(name).type
        for name in (
            "source_model",
            "prefix_hash",
            "continuation_idx",
            "continuation",
            "sampling",
            "source_hash",
            "prefix_tokens",
            "continuation_tokens",
        )
    }
)
# Settings of a sampler that identify the model.
IDENTITY = ("model", "revision", "tokenizer", "dtype")


def resample_splits(
    home: Home,
    model: Model,
    source_model: str,
    continuations: int,
    max_new_tokens: int,
    seed: int,
    n_documents: int | None,
    *,
    is_same_model: bool,
) -> tuple[int, int]:
    """Sample the missing continuations; return how many landed, and how many there should be.

    Sampling settings are those of the rollouts. Raises SamplingError if these are unknown or vary,
    if the rollouts came from another model, or from a file and a model of another name unless
    ``is_same_model``, or if earlier resamples used other settings.
    """
    with landing.opened(home.landing) as connection:
        refuse_other_model(connection, source_model, model.settings, is_same_model)
        settings = as_drawn(connection, source_model, max_new_tokens, seed)
        refuse_other_settings(connection, source_model, model.settings | asdict(settings))
        known = landing.known_resamples(connection, source_model)
    keys, n_wanted = missing(home, source_model, continuations, n_documents, known)
    source = sampling.source_of(source_model, model, settings, {"of": "splits of suffix probes"})
    source |= {"kind": "resampler", "details": sampling.canonical(source["details"])}
    n_landed = 0
    with terminal.progress("sampling", len(keys), "continuations") as advance:

        def land(sampled: list[Sampled]) -> None:
            nonlocal n_landed
            rows = rows_of(source["source_hash"], source_model, settings, sampled)
            with landing.opened(home.landing) as connection:
                n_landed += landing.add_resamples(connection, source, rows)
            advance(len(sampled))

        for start in range(0, len(keys), SLICE):
            model.sample(wanted(home, keys[start : start + SLICE], seed), settings, land)
    return n_landed, n_wanted


def source_model_of(home: Home) -> str:
    """The source model of all probes. Raises SamplingError if there is none, or several."""
    with warehouse.opened(home) as connection:
        found = connection.execute(
            "select distinct source_model from resample_splits order by source_model"
        ).fetchall()
    if not found:
        raise SamplingError("there are no suffix probes yet: make some with `latent-probes run`")
    if len(found) > 1:
        names = ", ".join(name for (name,) in found)
        raise SamplingError(
            f"there are probes of several source models ({names}): choose one with --source-model"
        )
    return found[0][0]


def refuse_other_model(
    connection: duckdb.DuckDBPyConnection, source_model: str, settings: dict, is_same: bool
) -> None:
    """Raise unless the rollouts came from this model: another's agreement says nothing.

    A file does not say which model wrote it. Then the names must be equal, apart from their owner,
    unless ``is_same`` confirms that it is the same model.
    """
    files = []
    for kind, name, details in landing.sources_of(connection, source_model):
        if kind != "sampler":
            files.append(name)
            continue
        landed = details["settings"]
        for key in IDENTITY:
            known = (landed.get(key), settings.get(key))
            if None not in known and known[0] != known[1]:
                raise SamplingError(
                    f"rollouts of {source_model!r} were sampled with {key} {known[0]}, not "
                    f"{known[1]}: resample with the model that wrote them"
                )
    if not files:
        return
    model = settings["model"]
    names = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1:,} other sources"
    if not is_same and bare_name(model) != bare_name(source_model):
        raise SamplingError(
            f"rollouts of {source_model!r} came from {names}, which does not say which model wrote "
            f"them, and {model!r} is another name: resample with the model that wrote them; if "
            "that is this one, add --same-model"
        )
    terminal.say(
        f"rollouts of {source_model} came from {names}: cannot verify that {model} wrote them"
    )


def refuse_other_settings(
    connection: duckdb.DuckDBPyConnection, source_model: str, settings: dict
) -> None:
    """Raise if earlier resamples used other settings: recurrence needs one distribution."""
    for landed in landing.resample_settings(connection, source_model):
        if differing := sampling.differences(landed, settings):
            raise SamplingError(
                f"splits of {source_model!r} were resampled with {differing}: all resamples are "
                "counted together, so use the same settings"
            )


def as_drawn(
    connection: duckdb.DuckDBPyConnection, source_model: str, max_new_tokens: int, seed: int
) -> Settings:
    """Sampling settings of the rollouts; if unknown, temperature 1 and all tokens."""
    names = ("temperature", "top_p", "top_k", "min_p")
    ways = {
        tuple(landed_setting(source_model, *setting) for setting in zip(names, way, strict=True))
        for way in landing.sampling_settings(connection, source_model)
    }
    if not ways:
        raise SamplingError(f"no rollouts of {source_model!r} have landed")
    if len(ways) > 1:
        raise SamplingError(
            f"rollouts of {source_model!r} were sampled with {len(ways)} different settings "
            "(temperature, top_p, top_k, min_p): land each under a separate source_model name"
        )
    ((temperature, top_p, top_k, min_p),) = ways
    if temperature == 0:
        raise SamplingError(
            f"rollouts of {source_model!r} were sampled at temperature 0: resampling would only "
            "repeat the same text"
        )
    settings = Settings(
        1.0 if temperature is None else temperature,
        1.0 if top_p is None else top_p,
        # Some samplers write -1 for all tokens.
        max(int(top_k or 0), 0),
        min_p or 0.0,
        max_new_tokens,
        seed,
    )
    terminal.say(
        f"sampling settings of the rollouts: temperature {settings.temperature}, "
        f"top_p {settings.top_p}, top_k {settings.top_k}, min_p {settings.min_p}"
    )
    return settings


def landed_setting(source_model: str, name: str, text: str | None) -> float | None:
    """A setting as a number. Raises SamplingError for one that is none.

    Files that landed with an earlier version were not all checked.
    """
    kind = SAMPLING_COLUMNS[name]
    if text is None:
        return None
    if not accepts(kind, text):
        raise SamplingError(
            f"rollouts of {source_model!r} state {name} {text[:40]}, which is not {kind.words}: "
            "correct the file and land it under another source_model name"
        )
    return float(text)


def missing(
    home: Home,
    source_model: str,
    continuations: int,
    n_documents: int | None,
    known: pyarrow.Table,
) -> tuple[list[tuple[str, int]], int]:
    """Keys (prefix hash, continuation index) still to sample, and how many there should be in all.

    Longest prefixes come first. ``n_documents`` limits the documents; their order depends only on
    their ids, so a larger number extends the same selection.
    """
    with warehouse.opened(home) as connection:
        connection.register("known", known)
        rows = connection.execute(
            f"""
            with chosen as (
                select doc_id
                from resample_splits
                where source_model = $source_model
                group by doc_id
                order by {sql.macro("identity", ("$source_model", "doc_id"))}
                limit coalesce($n_documents, 9223372036854775807)
            ),
            wanted as (
                select distinct
                    prefix_hash,
                    split_offset,
                    unnest(range($continuations)) as continuation_idx,
                from resample_splits
                semi join chosen using (doc_id)
                where source_model = $source_model
            )
            select prefix_hash, continuation_idx, known.prefix_hash is not null
            from wanted
            left join known using (prefix_hash, continuation_idx)
            order by split_offset desc, prefix_hash, continuation_idx
            """,
            {
                "source_model": source_model,
                "continuations": continuations,
                "n_documents": n_documents,
            },
        ).fetchall()
    keys = [(prefix_hash, index) for prefix_hash, index, is_known in rows if not is_known]
    return keys, len(rows)


def wanted(home: Home, keys: list[tuple[str, int]], seed: int) -> list[Wanted]:
    """Continuations to sample for these keys, each with its own seed."""
    with warehouse.opened(home) as connection:
        rows = connection.execute(
            """
            select
                prefix_hash,
                any_value(documents.doc_source),
                any_value(left(documents.text, splits.split_offset)),
            from resample_splits as splits
            join documents using (document_id)
            where prefix_hash in (select unnest($prefix_hashes))
            group by prefix_hash
            """,
            {"prefix_hashes": sorted({prefix_hash for prefix_hash, _ in keys})},
        ).fetchall()
    prefixes = {row[0]: Prefix(*row) for row in rows}
    return [
        Wanted(prefixes[prefix_hash], index, sampling.sampling_seed(seed, prefix_hash, index))
        for prefix_hash, index in keys
    ]


def rows_of(
    source_hash: str, source_model: str, settings: Settings, sampled: list[Sampled]
) -> pyarrow.Table:
    """Rows to land."""
    return pyarrow.Table.from_pylist(
        [
            {
                "source_model": source_model,
                "prefix_hash": row.wanted.prefix.doc_id,
                "continuation_idx": row.wanted.continuation_idx,
                "continuation": row.text,
                "sampling": sampling.sampling_of(settings, row),
                "source_hash": source_hash,
                "prefix_tokens": row.prefix_tokens,
                "continuation_tokens": row.continuation_tokens,
            }
            for row in sampled
        ],
        schema=RESAMPLES,
    )
