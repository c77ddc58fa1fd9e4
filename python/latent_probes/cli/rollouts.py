"""Commands about rollouts: land them, sample them, and resample from splits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latent_probes.cli import options
from latent_probes.cli.working import working

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILES...",
        help="Parquet, JSONL or CSV files, or data sets on the Hub: "
        "hf://datasets/OWNER/NAME[@REVISION][/PATH], where PATH may be a folder or a pattern.",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="OURS=THEIRS", help="The file's name for one of our columns."),
]
Constants = Annotated[
    list[str] | None,
    typer.Option(
        "--constant",
        metavar="OURS=VALUE",
        help="A value that applies to all rows in place of a column: source_model, doc_source, "
        "continuation_idx or a sampling setting.",
    ),
]


def land(files: Files, column: Columns = None, constant: Constants = None) -> None:
    """Land rollouts of a source model; rows that have already landed are not landed again.

    One row per continuation (doc_id, doc_source, prefix, continuation, continuation_idx,
    source_model), or one row per prefix with a list of `continuations`. Sampling settings
    (temperature, top_p, top_k, min_p, max_new_tokens, sampling_seed) are kept where present. If
    a local file has a fault, no local file lands.

    A data set on the Hub is read at the commit that its revision points to now. Its files land one
    after the other: if interrupted, the same command resumes, even in the middle of a file.
    HF_TOKEN and HF_ENDPOINT have their usual meaning.
    """
    from latent_probes import rollout_files
    from latent_probes.common import terminal

    mapping = rollout_files.Mapping(
        options.pairs(column, "OURS=THEIRS", rollout_files.COLUMNS),
        options.pairs(constant, "OURS=VALUE", rollout_files.CONSTANTS),
    )
    with working("what has landed stays; run the same command again to resume") as here:
        landed = rollout_files.land_rollouts(here.landing, files, mapping, here.downloads)
    if landed.known_files:
        terminal.say(f"files of the Hub that had already landed: {landed.known_files:,}")
    terminal.say(
        f"landed {landed.added:,} of {landed.rollouts:,} rollouts; the rest had already landed"
    )


def sample(
    prefixes: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            help="Parquet or JSONL: whole pages (id, url, text), or prefixes (id, url, prefix).",
        ),
    ],
    model: options.SourceModel,
    server: options.Server = None,
    source_model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The name to land the rollouts under; default: --model."),
    ] = None,
    documents: Annotated[
        int | None,
        typer.Option(min=1, help="How many pages to draw; default: all that are long enough."),
    ] = None,
    siblings: Annotated[int, typer.Option(min=1, help="Continuations of each prefix.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed for pages, cut positions and tokens.")] = 1,
    temperature: Annotated[float, typer.Option(min=0.01)] = 1.0,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="1: all tokens.")] = 1.0,
    top_k: Annotated[int, typer.Option(min=0, help="0: all tokens.")] = 0,
    min_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="0: all tokens.")] = 0.0,
    max_new_tokens: options.MaxNewTokens = 512,
    min_prefix: Annotated[
        int, typer.Option(min=1, help="Shortest prefix to cut from a page, in characters.")
    ] = 500,
    max_prefix: Annotated[
        int, typer.Option(min=1, help="Longest prefix to cut from a page, in characters.")
    ] = 2000,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="OURS=THEIRS", help="The file's name for id, url, text or prefix."),
    ] = None,
    revision: options.Revision = None,
    dtype: options.Dtype = "auto",
    device: options.Device = None,
    batch_size: options.RolloutBatch = 16,
    tokenizer: options.Tokenizer = None,
    in_flight: options.InFlight = 128,
) -> None:
    """Sample continuations of prefixes from a source model, and land them.

    A page is cut at a seeded position. What has landed is not sampled again: the command can be
    killed at any moment and run again, and later be asked for more documents or siblings.
    """
    from latent_probes.common import terminal
    from latent_probes.sampling import models, rollouts
    from latent_probes.sampling import prefixes as pages

    columns = options.pairs(column, "OURS=THEIRS", pages.COLUMNS)
    if max_prefix < min_prefix:
        raise typer.BadParameter(f"--max-prefix {max_prefix} is below --min-prefix {min_prefix}")
    settings = rollouts.Settings(temperature, top_p, top_k, min_p, max_new_tokens, seed)
    with working("finished rollouts have landed; run the same command again to resume") as here:
        chosen, origin = pages.chosen(
            prefixes, columns, pages.Bounds(min_prefix, max_prefix), seed, documents
        )
        source = models.source_model(
            model, server, revision, dtype, device, batch_size, tokenizer, in_flight
        )
        name = source_model or source.settings["model"]
        landed = rollouts.sample_rollouts(
            here.landing, source, name, chosen, siblings, settings, origin
        )
    known = siblings * len(chosen) - landed
    terminal.say(f"landed {landed:,} rollouts of {name}; {known:,} had already landed")


def resample(
    model: options.SourceModel,
    continuations: Annotated[int, typer.Option(min=1, help="Continuations of each split.")] = 5,
    documents: options.Documents = None,
    source_model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose probes, if several models have some."),
    ] = None,
    server: options.Server = None,
    seed: options.Seed = 1,
    max_new_tokens: options.MaxNewTokens = 512,
    revision: options.Revision = None,
    dtype: options.Dtype = "auto",
    device: options.Device = None,
    batch_size: options.RolloutBatch = 16,
    tokenizer: options.Tokenizer = None,
    in_flight: options.InFlight = 128,
) -> None:
    """Sample new continuations from the splits of suffix probes.

    Was the content already decided at the split? An oracle cannot be expected to read what the
    model itself would not write again. Tokens are sampled with the settings of the rollouts. Words
    and lenses are searched for in the new text; for the other scopes the round's judge is asked, by
    requests that `plan` prices and `run` sends. Results: the tables `commitment`,
    `commitment_summary` and `commitment_lift`. It can be killed at any moment and run again.
    """
    from latent_probes import warehouse
    from latent_probes.common import terminal
    from latent_probes.reports import plan
    from latent_probes.sampling import models, resamples

    with working("finished rollouts have landed; run the same command again to resume") as here:
        warehouse.build(here, tested=False)
        name = source_model or resamples.source_model_of(here)
        source = models.source_model(
            model, server, revision, dtype, device, batch_size, tokenizer, in_flight
        )
        landed, wanted = resamples.resample_splits(
            here, source, name, continuations, max_new_tokens, seed, documents
        )
        warehouse.build(here, tested=False)
    terminal.say(
        f"landed {landed:,} of {wanted:,} continuations of {name}; the rest had already landed"
    )
    plan.show(here)
