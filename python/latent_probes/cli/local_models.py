"""Commands that run a model in this process: scores of probes, hidden states of documents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latent_probes.cli import options
from latent_probes.cli.working import working


def score_local(
    model: options.Model,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="word, lens, …; may be repeated. Default: word and lens."
        ),
    ] = None,
    documents: options.Documents = None,
    revision: options.Revision = None,
    dtype: options.Dtype = "auto",
    device: options.Device = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Probes scored at a time.")] = 16,
) -> None:
    """Score probes with a language model here: log P(atom), log P(wrong answer), answers.

    Each probe is read with its complement and question, with the question alone, and, if it asks
    for what comes next, as plain text to continue. Some are also read one at a time: both ways must
    agree, and the first ones show how long the rest will take. It can be killed at any moment and
    run again; a probe is scored again only if it was edited. Results: the tables `token_scores` and
    `contrast`, rebuilt at the end. Needs the extra `lm`.
    """
    from latent_probes import warehouse
    from latent_probes.common import terminal
    from latent_probes.local_models import scores
    from latent_probes.reports import contrast
    from latent_probes.sampling import language_model

    scopes = list(dict.fromkeys(scope or scores.DEFAULT_SCOPES))
    if unknown := set(scopes) - set(scores.SCOPES):
        raise typer.BadParameter(f"{unknown.pop()!r} is not one of {', '.join(scores.SCOPES)}")
    with working("finished scores have landed; run the same command again to resume") as here:
        # Missing libraries are reported before anything else is done.
        language_model.libraries()
        warehouse.build(here, tested=False)
        source = language_model.LanguageModel(model, revision, dtype, device, batch_size)
        landed = scores.score_probes(here, source, scopes, documents)
        warehouse.build(here, tested=False)
    terminal.say(f"landed {landed:,} readings by {source.name}")
    contrast.show(here)


def save_activations(
    model: options.Model,
    layers: Annotated[
        str,
        typer.Option(
            metavar="NUMBERS",
            help="Layers, as 8,16,24: 0 is the embeddings, n the output of block n; the last one "
            "is taken after the final norm.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of shards and index.")],
    last: Annotated[int, typer.Option(min=1, help="Tokens kept at each split.")] = 1,
    round_number: Annotated[
        int | None, typer.Option("--round", metavar="ROUND", help="Only documents of this round.")
    ] = None,
    shard_documents: Annotated[
        int, typer.Option(min=1, help="Documents in a shard; a kill loses at most one shard.")
    ] = 256,
    revision: options.Revision = None,
    dtype: options.Dtype = "auto",
    device: options.Device = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Documents read at a time.")] = 8,
) -> None:
    """Save hidden states of a source model at the splits of documents.

    Each document is read once, from its beginning to its last split. The residual stream is saved
    at the last tokens that end at or before each split, for probes of both targets: safetensors,
    and an index in Parquet. The tokens are those that were sampled, if they have landed; otherwise
    the whole text is tokenized. It can be killed at any moment and run again. Needs the extra `lm`.
    """
    from latent_probes import warehouse
    from latent_probes.common import terminal
    from latent_probes.local_models import activations
    from latent_probes.sampling import language_model

    numbers = list(dict.fromkeys(layer.strip() for layer in layers.split(",")))
    if not all(number.isdecimal() for number in numbers):
        raise typer.BadParameter(f"--layers {layers!r} is not a list of numbers like 8,16,24")
    with working("complete shards stay; run the same command again to resume") as here:
        # Missing libraries are reported before anything else is done.
        language_model.libraries()
        warehouse.build(here, tested=False)
        source = language_model.LanguageModel(model, revision, dtype, device, batch_size)
        n_saved = activations.save_activations(
            here, source, list(map(int, numbers)), last, out, round_number, shard_documents
        )
    terminal.say(f"saved activations of {n_saved:,} documents in {out}")
