"""The command line: one function a command, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Make, score, test and publish probing questions for activation oracles.\n\n"
    "A set is made in five steps: **land** rollouts of a source model, add a line to "
    "seeds/rounds.csv, look at the **plan** and its price, **run** it, and **export** the data "
    "set. `dbt build` rebuilds and tests everything from what has landed, and never spends money.",
    epilog="Files lie in the folder LATENT_PROBES_HOME, by default that of the project.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)

Rollouts = Annotated[
    list[str],
    typer.Argument(
        metavar="FILES...",
        help="Parquet, JSONL or CSV files, or data sets on the Hub: "
        "hf://datasets/OWNER/NAME[@REVISION][/PATH], where a path may be a folder or a pattern.",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="OURS=THEIRS",
        help="The file's name for one of our columns.",
    ),
]
Constants = Annotated[
    list[str] | None,
    typer.Option(
        "--constant",
        metavar="OURS=VALUE",
        help="What stands in all rows in place of one of our columns: source_model, doc_source, "
        "continuation_idx or a sampling setting.",
    ),
]
Provider = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Who answers: anthropic-batches (Claude at half the price, within a day), "
        "anthropic-messages (Claude at once, or your own server of /v1/messages), "
        "lexical (the offline baseline).",
    ),
]
Counter = Annotated[
    str | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        help="Have this provider count the tokens of some of the requests, which is free.",
    ),
]
Once = Annotated[
    bool,
    typer.Option("--once", help="Land what has ended, submit what is pending, and leave."),
]
Model = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="A language model: a name on the Hub, a folder, a .gguf file."
    ),
]
Revision = Annotated[
    str | None, typer.Option(metavar="NAME", help="Branch, tag or commit on the Hub.")
]
Dtype = Annotated[
    str, typer.Option(metavar="NAME", help="float32, bfloat16, …; auto: as the weights are.")
]
Device = Annotated[
    str | None, typer.Option(metavar="NAME", help="cpu, cuda, …; else cuda if it is there.")
]
Server = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Have a server of the completions endpoint sample (http://host:port/v1, vLLM). "
        "Its key, if it wants one, comes from OPENAI_API_KEY.",
    ),
]
MaxNewTokens = Annotated[int, typer.Option(min=1)]
BatchOfRollouts = Annotated[int, typer.Option(min=1, help="Rollouts sampled at a time.")]
Tokenizer = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="With --server: send token ids of this tokenizer (a name on the Hub, a folder) "
        "in place of text.",
    ),
]
InFlight = Annotated[
    int, typer.Option(min=1, help="With --server: requests on their way at a time.")
]
MaxCost = Annotated[
    float | None,
    typer.Option(
        metavar="DOLLARS",
        help="Send nothing that could bring all that was ever sent over this sum: each request "
        "is reckoned with the longest answer it allows.",
    ),
]


@app.command()
def land(rollouts: Rollouts, column: Columns = None, constant: Constants = None) -> None:
    """Land rollouts of a source model; what has landed before is not landed again.

    One row per continuation (doc_id, doc_source, prefix, continuation, continuation_idx,
    source_model), or one row per prefix with a list of `continuations`. Sampling settings
    (temperature, top_p, top_k, min_p, max_new_tokens, sampling_seed) are kept where they are
    given. A file with a fault lands nothing, nor do the other files of this machine with it.

    A data set on the Hub is read at the commit that its revision means now. Its files land one
    after the other: the same command goes on where it was broken off, in the middle of a file
    too. HF_TOKEN and HF_ENDPOINT are those of the Hub's own client.
    """
    from latent_probes import home, rollout_files, runner, terminal

    mapping = rollout_files.Mapping(
        pairs(column, "OURS=THEIRS", rollout_files.COLUMNS),
        pairs(constant, "OURS=VALUE", rollout_files.CONSTANTS),
    )
    here = home.find()
    stopped = "interrupted: what has landed stays, and the same command goes on from there"
    with interruptible(lambda: terminal.say(stopped)), runner.locked(here):
        landed = rollout_files.land(here.landing, rollouts, mapping, here.downloads)
    if landed.known_files:
        terminal.say(f"files of the Hub that had landed before: {landed.known_files:,}")
    terminal.say(f"landed {landed.added:,} of {landed.rollouts:,} rollouts; the rest was known")


@contextmanager
def interruptible(say: Callable[[], None]) -> Iterator[None]:
    """Where Ctrl-C ends the block: say so, and exit with 130."""
    try:
        yield
    except (KeyboardInterrupt, RuntimeError) as stop:
        # What Ctrl-C becomes where it meets DuckDB at work.
        if isinstance(stop, RuntimeError) and str(stop) != "Query interrupted":
            raise
        say()
        raise typer.Exit(130) from None


def pairs(given: list[str] | None, form: str, known: tuple[str, ...]) -> dict[str, str]:
    """Options of a form like OURS=THEIRS, where ours is one of what is known."""
    found = {}
    for pair in given or []:
        ours, equals, theirs = pair.partition("=")
        if not (ours and equals and theirs):
            raise typer.BadParameter(f"{pair!r} is not of the form {form}")
        if ours not in known:
            raise typer.BadParameter(f"{ours!r} is none of {', '.join(known)}")
        found[ours] = theirs
    return found


@app.command()
def rollouts(
    prefixes: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            help="Parquet or JSONL: whole pages (id, url, text), or prefixes (id, url, prefix).",
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="The source model: a name on the Hub, a folder, a .gguf file."
        ),
    ],
    server: Server = None,
    source_model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The name that the rollouts get; else the model's."),
    ] = None,
    documents: Annotated[
        int | None,
        typer.Option(min=1, help="How many pages to draw; else all that are long enough."),
    ] = None,
    siblings: Annotated[int, typer.Option(min=1, help="Continuations of each prefix.")] = 5,
    seed: Annotated[int, typer.Option(help="Draws pages, places to cut, and tokens.")] = 1,
    temperature: Annotated[float, typer.Option(min=0.01)] = 1.0,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="1: all tokens.")] = 1.0,
    top_k: Annotated[int, typer.Option(min=0, help="0: all tokens.")] = 0,
    min_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="0: all tokens.")] = 0.0,
    max_new_tokens: MaxNewTokens = 512,
    min_prefix: Annotated[
        int, typer.Option(min=1, help="Shortest prefix cut from a page, in characters.")
    ] = 500,
    max_prefix: Annotated[
        int, typer.Option(min=1, help="Longest prefix cut from a page, in characters.")
    ] = 2000,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="OURS=THEIRS", help="The file's name for id, url, text or prefix."),
    ] = None,
    revision: Revision = None,
    dtype: Dtype = "auto",
    device: Device = None,
    batch_size: BatchOfRollouts = 16,
    tokenizer: Tokenizer = None,
    in_flight: InFlight = 128,
) -> None:
    """Sample continuations of prefixes with a source model, and land them.

    A page is cut at a seeded place. What has landed is not sampled again: it can be killed at any
    moment and run again, and asked later for more documents or siblings.
    """
    from latent_probes import home, runner, sampling, terminal
    from latent_probes import prefixes as reading

    columns = pairs(column, "OURS=THEIRS", reading.COLUMNS)
    if max_prefix < min_prefix:
        raise typer.BadParameter(f"--max-prefix {max_prefix} is below --min-prefix {min_prefix}")
    settings = sampling.Settings(temperature, top_p, top_k, min_p, max_new_tokens, seed)
    here = home.find()
    stopped = "interrupted: what was finished has landed, and the same command goes on from there"
    with interruptible(lambda: terminal.say(stopped)), runner.locked(here):
        chosen, origin = reading.chosen(
            prefixes, columns, reading.Bounds(min_prefix, max_prefix), seed, documents
        )
        source = sampler(model, server, revision, dtype, device, batch_size, tokenizer, in_flight)
        name = source_model or source.settings["model"]
        landed = sampling.run(here.landing, source, name, chosen, siblings, settings, origin)
    known = siblings * len(chosen) - landed
    terminal.say(f"landed {landed:,} rollouts of {name}; {known:,} had landed before")


def sampler(
    model: str,
    server: str | None,
    revision: str | None,
    dtype: str,
    device: str | None,
    batch_size: int,
    tokenizer: str | None,
    in_flight: int,
):
    """A source model, in this process or on a server."""
    if server is None:
        from latent_probes.language_model import LanguageModel

        return LanguageModel(model, revision, dtype, device, batch_size)
    from latent_probes.completions import ServedModel

    return ServedModel(server, model, revision, tokenizer, in_flight)


@app.command()
def resample(
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The source model itself: a name on the Hub, a folder, a .gguf file.",
        ),
    ],
    continuations: Annotated[int, typer.Option(min=1, help="Continuations of each split.")] = 5,
    documents: Annotated[
        int | None,
        typer.Option(min=1, help="How many documents; of a larger number they are the first."),
    ] = None,
    source_model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose probes, where they are of several models."),
    ] = None,
    server: Server = None,
    seed: Annotated[int, typer.Option(help="Draws tokens.")] = 1,
    max_new_tokens: MaxNewTokens = 512,
    revision: Revision = None,
    dtype: Dtype = "auto",
    device: Device = None,
    batch_size: BatchOfRollouts = 16,
    tokenizer: Tokenizer = None,
    in_flight: InFlight = 128,
) -> None:
    """Have the source model go on from the splits of suffix probes once more.

    Was the content decided at the split? An oracle cannot be expected to read what the model itself
    would not say again. Tokens are drawn as those of the rollouts were. Words and lenses are looked
    for in what it writes; the rest is judged by the round's judge, as requests that `plan` prices
    and `run` asks. The figures are the tables `commitment`, `commitment_summary` and
    `commitment_lift`. It can be killed at any moment and run again.
    """
    from latent_probes import home, resampling, runner, summary, terminal, warehouse

    here = home.find()
    stopped = "interrupted: what was finished has landed, and the same command goes on from there"
    with interruptible(lambda: terminal.say(stopped)), runner.locked(here):
        warehouse.build(here, tested=False)
        name = source_model or resampling.source_model_of(here)
        source = sampler(model, server, revision, dtype, device, batch_size, tokenizer, in_flight)
        landed, wanted = resampling.run(
            here, source, name, continuations, max_new_tokens, seed, documents
        )
        warehouse.build(here, tested=False)
    terminal.say(f"landed {landed:,} of {wanted:,} continuations of {name}; the rest was known")
    summary.plan(here)


@app.command(name="score-local")
def score_local(
    model: Model,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="word, lens, …; may be repeated. Else word and lens."),
    ] = None,
    documents: Annotated[
        int | None,
        typer.Option(min=1, help="How many documents; of a larger number they are the first."),
    ] = None,
    revision: Revision = None,
    dtype: Dtype = "auto",
    device: Device = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Readings at a time.")] = 16,
) -> None:
    """Have a language model in this process read probes: log P(atom), log P(wrong answer), answers.

    A probe is read as complement and question, as the question alone, and, where it asks for what
    comes next, as text to go on with. Some are read one by one, too: the two ways must agree, and
    show how long the rest will take. It can be killed at any moment and run again; what has landed
    is not read again unless the probe was edited. The figures are the tables `token_scores` and
    `contrast`, which are made anew at the end. Needs the extra `lm`.
    """
    from latent_probes import home, runner, summary, terminal, warehouse
    from latent_probes.reading import scores

    scopes = list(dict.fromkeys(scope or scores.DEFAULT_SCOPES))
    if unknown := set(scopes) - set(scores.SCOPES):
        raise typer.BadParameter(f"{unknown.pop()!r} is none of {', '.join(scores.SCOPES)}")
    here = home.find()
    stopped = "interrupted: what was read has landed, and the same command goes on from there"
    with interruptible(lambda: terminal.say(stopped)), runner.locked(here):
        from latent_probes.language_model import LanguageModel, libraries

        # What is missing is said at once.
        libraries()
        warehouse.build(here, tested=False)
        source = LanguageModel(model, revision, dtype, device, batch_size)
        landed = scores.run(here, source, scopes, documents)
        warehouse.build(here, tested=False)
    terminal.say(f"landed {landed:,} readings by {source.name}")
    summary.contrast(here)


@app.command()
def activations(
    model: Model,
    layers: Annotated[
        str,
        typer.Option(
            metavar="NUMBERS",
            help="Layers, as 8,16,24: 0 the embeddings, n after block n; the last one is after the "
            "final norm.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where shards and index are put.")],
    last: Annotated[int, typer.Option(min=1, help="Tokens kept at each split.")] = 1,
    round_number: Annotated[
        int | None, typer.Option("--round", metavar="ROUND", help="Only its documents.")
    ] = None,
    shard_documents: Annotated[
        int, typer.Option(min=1, help="Documents in a shard: a kill loses one shard at most.")
    ] = 256,
    revision: Revision = None,
    dtype: Dtype = "auto",
    device: Device = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Documents read at a time.")] = 8,
) -> None:
    """Keep hidden states of a source model at the splits of documents.

    Each document is read once, from its beginning to its last split. Kept is the residual stream
    at the last tokens that end at or before each split, for probes of both targets: safetensors,
    and an index in Parquet. The tokens are those that were sampled, where they have landed; else
    the text is tokenized whole. It can be killed at any moment and run again. Needs the extra `lm`.
    """
    from latent_probes import home, runner, terminal, warehouse
    from latent_probes.reading import activations as reading

    numbers = list(dict.fromkeys(layer.strip() for layer in layers.split(",")))
    if not all(number.isdecimal() for number in numbers):
        raise typer.BadParameter(f"--layers {layers!r} is no list of numbers like 8,16,24")
    here = home.find()
    stopped = "interrupted: shards that are whole stay, and the same command goes on from there"
    with interruptible(lambda: terminal.say(stopped)), runner.locked(here):
        from latent_probes.language_model import LanguageModel, libraries

        # What is missing is said at once.
        libraries()
        warehouse.build(here, tested=False)
        source = LanguageModel(model, revision, dtype, device, batch_size)
        n_read = reading.run(
            here, source, list(map(int, numbers)), last, out, round_number, shard_documents
        )
    terminal.say(f"kept states of {n_read:,} documents in {out}")


@app.command()
def plan(provider: Counter = None) -> None:
    """Show what would be asked in each round, and what it is expected to cost.

    Tokens are those measured in answers that landed, else those that a provider counted, else
    estimated from characters; the plan says which.
    """
    from latent_probes import home, providers, runner, summary, warehouse

    here = home.find()
    warehouse.build(here, tested=False)
    if provider is not None:
        runner.count(here, providers.create(provider, here))
        warehouse.build(here, tested=False)
    summary.plan(here)


@app.command()
def run(provider: Provider, once: Once = False, max_cost: MaxCost = None) -> None:
    """Ask everything that is pending, and land the answers, until nothing is left to ask.

    It can be killed at any moment and run again: nothing is lost and nothing is asked twice.
    Batches that are on their way go on without it; `cancel` stops them.

    Key and address of a provider come from ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL, the model
    of each stage from the line of the round in seeds/rounds.csv.
    """
    from latent_probes import home, providers, runner, summary

    if max_cost is not None and not max_cost >= 0:
        raise typer.BadParameter(f"{max_cost} is no sum of dollars")
    here = home.find()
    with interruptible(lambda: summary.interrupted(here)):
        runner.run(here, providers.create(provider, here), once=once, max_cost=max_cost)
    summary.status(here)


@app.command()
def cancel() -> None:
    """Stop everything that is on its way; what was answered by then still lands.

    What was canceled is asked again by the next `run`.
    """
    from latent_probes import home, providers, runner, summary

    here = home.find()
    runner.cancel(here, lambda name: providers.create(name, here))
    summary.canceled(here)


@app.command()
def status() -> None:
    """Show how far each round is, and what was spent."""
    from latent_probes import home, summary, warehouse

    here = home.find()
    warehouse.build(here, tested=False)
    summary.status(here)


@app.command()
def calibrate(
    docs: Annotated[int, typer.Option(min=1, help="Documents, the same at every level.")] = 100,
    levels: Annotated[
        str, typer.Option(metavar="FIRST..LAST", help="Levels of seeds/calibration_levels.csv.")
    ] = "-3..3",
    like: Annotated[
        int | None,
        typer.Option(metavar="ROUND", help="The round whose models are asked; else the last."),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who answers; without, only the price is shown."),
    ] = None,
    once: Once = False,
    max_cost: MaxCost = None,
) -> None:
    """Ask the same documents at every level of strictness, and compare what comes of it.

    The documents are drawn by the round's seed from those that no round has, and no round ever
    draws them. Requests, answers and probes lie in a home of their own, `calibration`: none of
    them is published, and all commands but `export` work there (LATENT_PROBES_HOME). --max-cost is
    about what the calibration costs.
    """
    from latent_probes import calibration, home, providers, runner, summary, warehouse

    if max_cost is not None and not max_cost >= 0:
        raise typer.BadParameter(f"{max_cost} is no sum of dollars")
    wanted = calibration.parsed_levels(levels)
    here = home.find()
    there = calibration.prepare(here, docs, wanted, like)
    warehouse.build(there, tested=False)
    summary.plan(there)
    if provider is None:
        return
    with interruptible(lambda: summary.interrupted(there)):
        runner.run(there, providers.create(provider, there), once=once, max_cost=max_cost)
    summary.calibration(there)
    calibration.draw(there)


@app.command()
def evaluate(
    name: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The method; `lexical` is the offline baseline, which answers by itself.",
        ),
    ],
    condition: Annotated[
        str,
        typer.Option(
            metavar="CONDITION",
            help="What it read: real_state, no_state, or other_document_state.",
        ),
    ],
    answers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Parquet, JSONL or CSV: doc_id, slot_idx, answer (or a list, answers), and, if it "
            "has them, logp_atom and logp_ipa.",
        ),
    ] = None,
    build: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            help="The `build` of the set's manifest.json that the method was asked with.",
        ),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who judges; without, only the price is shown."),
    ] = None,
    once: Once = False,
    max_cost: MaxCost = None,
) -> None:
    """Land what a method answered to published probes, have it judged, and compare.

    The round's own judge scores it, and its answerer is asked anew about the same probes: bands
    come from the published answers, so that only new ones are a fair comparison. Where a method
    was trained, its answers without the state, and with another document's, tell what it reads
    from what it learned: evaluate it under all three conditions.
    """
    from latent_probes import home, oracles, providers, runner, summary, terminal, warehouse

    if max_cost is not None and not max_cost >= 0:
        raise typer.BadParameter(f"{max_cost} is no sum of dollars")
    here = home.find()
    with runner.locked(here):
        warehouse.build(here, tested=False)
        if answers is None:
            n_landed, n_rows = oracles.land_baseline(here, name, condition)
        else:
            n_landed, n_rows = oracles.land(here, name, condition, answers, build)
    terminal.say(f"landed {n_landed:,} of {n_rows:,} answers; the rest was known")
    warehouse.build(here, tested=False)
    summary.plan(here)
    if provider is None:
        return
    with interruptible(lambda: summary.interrupted(here)):
        runner.run(here, providers.create(provider, here), once=once, max_cost=max_cost)
    summary.leaderboard(here)
    oracles.draw(here)


@app.command()
def sheet(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The CSV file to write.")],
    answers: Annotated[
        int, typer.Option(min=1, help="How many answers; of a larger number they are the first.")
    ] = 50,
) -> None:
    """Write a sheet of answers for a person to score as the judge did, without its scores.

    Fill in the column `score`, 0 to 1, and land the file with `ratings`.
    """
    from latent_probes import home, ratings, terminal, warehouse

    here = home.find()
    warehouse.build(here, tested=False)
    n_written = ratings.write_sheet(here, file, answers)
    terminal.say(f"wrote {n_written:,} answers to {file}")


@app.command(name="ratings")
def land_ratings(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A sheet with scores filled in.")],
    rater: Annotated[str, typer.Option(metavar="NAME", help="Whose scores they are.")],
) -> None:
    """Land the scores that a person gave answers; rows without one are left out.

    A file with a fault lands nothing, and what was landed once is not changed.
    """
    from latent_probes import home, ratings, runner, terminal

    here = home.find()
    with runner.locked(here):
        n_landed, n_rows = ratings.land(here, file, rater)
    terminal.say(f"landed {n_landed:,} of {n_rows:,} scores; the rest was known")


@app.command()
def export() -> None:
    """Test the warehouse and write the data set: Parquet files, a card and a manifest.

    Refuses while a slot or a score is pending, and when a test fails.
    """
    from latent_probes import calibration, home, publication, runner, summary

    here = home.find()
    with runner.locked(here):
        calibration.refuse_export(here)
        publication.export(here)
    summary.exported(here)


@app.command()
def check(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER", help="A copy of a data set from the Hub; else the export."
        ),
    ] = None,
) -> None:
    """Compute every figure of a data set's card again from its files, and compare.

    Needs nothing but the folder. Its files are also held against the hashes of its manifest.
    """
    from latent_probes import home, terminal
    from latent_probes.publication import proof

    found = proof.faults(folder or home.find().export)
    for fault in found:
        terminal.say(fault)
    if found:
        raise typer.Exit(1)
    terminal.say("the files are those of the manifest, and every figure of the card is theirs")


@app.command()
def push(
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The data set on the Hub.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change and travel; send nothing.")
    ] = False,
    allow_baseline: Annotated[
        bool,
        typer.Option(
            "--allow-baseline", help="Push although the offline baseline made some of it."
        ),
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="If the data set is made new, make it public.")
    ] = False,
) -> None:
    """Bring a data set on the Hub to the state of the export, in one commit.

    Only what the Hub lacks travels; what breaks off is not sent again. A state of the data set that
    was never looked at from here is not overwritten: --dry-run looks. Nothing leaves that is not
    tested, that holds a key, or, outside of texts, a path of this computer.

    The token is that of HF_TOKEN or of `hf auth login`, the Hub that of HF_ENDPOINT.
    """
    from latent_probes import home, pushing, runner, terminal

    here = home.find()
    stopped = "interrupted: the data set is as it was; what was sent of it is not sent again"
    with interruptible(lambda: terminal.say(stopped)), runner.locked(here):
        pushing.push(here, name, dry_run=dry_run, allow_baseline=allow_baseline, is_public=public)


def main() -> None:
    """Run the command line; what can go wrong in use ends with one line and exit code 1."""
    import sys

    try:
        app()
    except Exception as error:
        if type(error).__module__.startswith("latent_probes."):
            from rich.text import Text

            from latent_probes import terminal

            terminal.errors.print(
                Text.assemble(("error: ", "bold red"), terminal.printable(str(error))),
                soft_wrap=True,
            )
            sys.exit(1)
        raise
