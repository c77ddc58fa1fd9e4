"""Commands for rollouts: land them, sample them, and resample from splits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latent_probes.cli import models, options
from latent_probes.cli.working import working

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILES...",
        help="Parquet, JSONL or CSV files (JSONL and CSV also as .gz or .zst), or data sets on the "
        "Hub: hf://datasets/OWNER/NAME[@REVISION][/PATH]; PATH can be a folder or a glob pattern.",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="OURS=THEIRS",
        help="Name of this column in the file, e.g. doc_id=id. Repeatable.",
    ),
]
Constants = Annotated[
    list[str] | None,
    typer.Option(
        "--constant",
        metavar="OURS=VALUE",
        help="Constant value for a column that the file lacks or leaves empty (source_model, "
        "doc_source, continuation_idx or a sampling setting). Repeatable.",
    ),
]


def land(
    files: Files,
    column: Columns = None,
    constant: Constants = None,
    delimiter: options.Delimiter = ",",
) -> None:
    """Land rollouts of a source model; rows that have already landed are skipped.

    One row per continuation (doc_id, doc_source, prefix, continuation, continuation_idx,
    source_model), or one row per prefix with a list of `continuations`. Sampling settings
    (temperature, top_p, top_k, min_p, max_new_tokens, sampling_seed) are kept if present. If any
    local file is invalid, none of them lands. Text is UTF-8, or UTF-16 with a byte order mark.

    A data set on the Hub is read at the commit that its revision points to now. Its files land one
    by one; an interrupted download resumes, even mid-file, when you rerun the command. HF_TOKEN and
    HF_ENDPOINT have their usual meaning.
    """
    from latent_probes import landing, rollout_files
    from latent_probes.common import terminal
    from latent_probes.table_files import FileError

    columns = options.pairs(column, "OURS=THEIRS", rollout_files.COLUMNS)
    constants = options.pairs(constant, "OURS=VALUE", rollout_files.CONSTANTS)
    try:
        mapping = rollout_files.Mapping(columns, constants, delimiter)
    except FileError as error:
        raise typer.BadParameter(str(error)) from error
    with working(
        "landed data is kept; rerun the same command to continue", makes_home=True
    ) as here:
        landing.refuse_adopted(here.landing, "no rollouts can land in it")
        landed = rollout_files.land_rollouts(here.landing, files, mapping, here.downloads)
    if landed.known_files:
        terminal.say(f"Hub files that had already landed: {landed.known_files:,}")
    terminal.say_landed(landed.added, landed.rollouts, "rollouts")


def sample(
    prefixes: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            help="Parquet, JSONL or CSV file of full pages (id, url, text) or prefixes (id, "
            "url, prefix).",
        ),
    ],
    model: options.SourceModel,
    server: options.Server = None,
    source_model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name to record for the source model (default: the model's own name).",
        ),
    ] = None,
    documents: Annotated[
        int | None,
        typer.Option(min=1, help="Number of pages to draw (default: all that are long enough)."),
    ] = None,
    siblings: Annotated[int, typer.Option(min=1, help="Continuations per prefix.")] = 5,
    seed: Annotated[
        int, typer.Option(help="Random seed for page order, cut points and token sampling.")
    ] = 1,
    temperature: Annotated[float, typer.Option(min=0.01, max=100.0)] = 1.0,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="1: all tokens.")] = 1.0,
    top_k: Annotated[int, typer.Option(min=0, help="0: all tokens.")] = 0,
    min_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="0: all tokens.")] = 0.0,
    max_new_tokens: options.MaxNewTokens = 512,
    min_prefix: Annotated[
        int, typer.Option(min=1, help="Minimum length of a prefix cut from a page, in characters.")
    ] = 500,
    max_prefix: Annotated[
        int, typer.Option(min=1, help="Maximum length of a prefix cut from a page, in characters.")
    ] = 2000,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OURS=THEIRS",
            help="Name in the file of id, url, text or prefix, e.g. id=page_id. Repeatable.",
        ),
    ] = None,
    delimiter: options.Delimiter = ",",
    revision: options.Revision = None,
    dtype: options.Dtype = "auto",
    device: options.Device = None,
    batch_size: options.RolloutBatch = 16,
    tokenizer: options.Tokenizer = None,
    in_flight: options.InFlight = 128,
    on: options.On = None,
    address: options.Address = None,
) -> None:
    """Sample continuations of prefixes from a source model, and land them.

    Pages are cut at a seeded random position. Landed rollouts are not sampled again, so you can
    kill and rerun the command at any time, and later ask for more documents or siblings.
    """
    from latent_probes import landing
    from latent_probes.common import terminal
    from latent_probes.sampling import prefixes as pages
    from latent_probes.sampling import rollouts

    columns = options.pairs(column, "OURS=THEIRS", pages.COLUMNS)
    if max_prefix < min_prefix:
        raise typer.BadParameter(f"--max-prefix {max_prefix} is below --min-prefix {min_prefix}")
    models.refuse_contradiction(on, address, device, server)
    settings = rollouts.Settings(temperature, top_p, top_k, min_p, max_new_tokens, seed)
    with working(
        "finished work has landed; rerun the same command to continue", makes_home=True
    ) as here:
        landing.refuse_adopted(here.landing, "no rollouts can be sampled for it")
        chosen, origin = pages.chosen(
            prefixes, columns, pages.Bounds(min_prefix, max_prefix), seed, documents, delimiter
        )
        with models.source_model(
            *(on, address, server, model, revision, dtype, device, batch_size),
            *(tokenizer, in_flight),
        ) as source:
            name = source_model or source.settings["model"]
            landed = rollouts.sample_rollouts(
                here.landing, source, name, chosen, siblings, settings, origin
            )
    known = siblings * len(chosen) - landed
    terminal.say(f"landed {landed:,} rollouts of {name}; {known:,} had already landed")


def resample(
    model: options.SourceModel,
    continuations: Annotated[int, typer.Option(min=1, help="Continuations per split.")] = 5,
    documents: options.Documents = None,
    source_model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Source model to resample, if there are probes of more than one.",
        ),
    ] = None,
    same_model: Annotated[
        bool,
        typer.Option(
            "--same-model",
            help="Confirm that this model wrote rollouts in files under another name.",
        ),
    ] = False,
    server: options.Server = None,
    seed: options.Seed = 1,
    max_new_tokens: options.MaxNewTokens = 512,
    revision: options.Revision = None,
    dtype: options.Dtype = "auto",
    device: options.Device = None,
    batch_size: options.RolloutBatch = 16,
    tokenizer: options.Tokenizer = None,
    in_flight: options.InFlight = 128,
    on: options.On = None,
    address: options.Address = None,
) -> None:
    """Resample continuations from the splits of suffix probes.

    Measures whether the content was already determined at the split: how often the model says the
    same again, and how high an oracle's score can be. Sampling settings are those of the rollouts.
    Words and lenses are matched in the continuations; the other scopes are scored by the round's
    judge, in requests that `plan` prices and `run` sends. Results are in the tables `commitment`,
    `commitment_summary` and `commitment_lift`. The command can be killed and rerun at any time.
    """
    from latent_probes import warehouse
    from latent_probes.common import terminal
    from latent_probes.reports import commitment, plan
    from latent_probes.sampling import resamples, tokenizing

    models.refuse_contradiction(on, address, device, server)
    with working("finished work has landed; rerun the same command to continue") as here:
        if server is None:
            tokenizing.refuse_missing(model)
        warehouse.build(here, tested=False)
        name = source_model or resamples.source_model_of(here)
        with models.source_model(
            *(on, address, server, model, revision, dtype, device, batch_size),
            *(tokenizer, in_flight),
        ) as source:
            landed, wanted = resamples.resample_splits(
                *(here, source, name, continuations, max_new_tokens, seed, documents),
                is_same_model=same_model,
            )
        warehouse.build(here, tested=False)
    terminal.say_landed(landed, wanted, f"continuations of {name}")
    commitment.say_what_was_cut(here, name)
    plan.show(here)
