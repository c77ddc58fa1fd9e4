"""Commands that run a language model themselves: score probes, save hidden states."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latent_probes.cli import models, options
from latent_probes.cli.working import working


def score_local(
    model: options.Model,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="word, lens, … Repeatable. Default: word and lens."),
    ] = None,
    documents: options.Documents = None,
    revision: options.Revision = None,
    dtype: options.Dtype = "auto",
    device: options.Device = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Probes scored at a time.")] = 16,
    on: options.On = None,
    address: options.Address = None,
) -> None:
    """Score probes with a local language model: log P(atom), log P(wrong answer), answers.

    A probe is read in three forms: complement plus question, question alone and, for suffix
    targets, plain continuation. If its split was resampled, that form also has log P of what the
    source model says there in a new continuation. Some probes are also read individually
    (unbatched): both results must agree, and the first ones give an estimate of the remaining time.
    The command can be killed and rerun at any time; only edited probes are scored again. Results
    are in the tables `token_scores` and `contrast`, which are rebuilt at the end. Needs the extra
    `lm`.
    """
    from latent_probes import warehouse
    from latent_probes.common import terminal
    from latent_probes.local_models import scores
    from latent_probes.reports import contrast
    from latent_probes.sampling import language_model, tokenizing

    models.refuse_contradiction(on, address, device)
    scopes = list(dict.fromkeys(scope or scores.DEFAULT_SCOPES))
    for name in scopes:
        options.one_of(name, scores.SCOPES)
    with working("finished work has landed; rerun the same command to continue") as here:
        # What is missing is reported before anything else is done.
        language_model.libraries()
        tokenizing.refuse_missing(model)
        warehouse.build(here, tested=False)
        with models.language_model(
            *(on, address, model, revision, dtype, device, batch_size)
        ) as source:
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
            help="Comma-separated indices of transformers' hidden_states, e.g. 10,19,28: 0 is the "
            "embeddings, the last one is after the final norm. Oracles count from the first block: "
            "their layer 9, the output of model.layers[9], is 10 here; the index has both.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for shards and index.")],
    positions: Annotated[
        int,
        typer.Option(min=1, help="Tokens to save at each split: the last ones."),
    ] = 1,
    round_number: Annotated[
        int | None, typer.Option("--round", metavar="ROUND", help="Only documents of this round.")
    ] = None,
    shard_documents: Annotated[
        int, typer.Option(min=1, help="Documents per shard; a kill loses at most one shard.")
    ] = 256,
    revision: options.Revision = None,
    dtype: options.Dtype = "auto",
    device: options.Device = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Documents read at a time.")] = 8,
    on: options.On = None,
    address: options.Address = None,
) -> None:
    """Save the source model's hidden states at the splits.

    Each document is read once, from its beginning to its last split. The residual stream is saved
    at the last tokens that end at or before each split, for probes of both targets, as safetensors
    with an index in Parquet. The sampled tokens are used if they have landed; otherwise the full
    text is tokenized. The command can be killed and rerun at any time. Needs the extra `lm`.
    """
    from latent_probes import warehouse
    from latent_probes.common import terminal
    from latent_probes.local_models import activations
    from latent_probes.sampling import language_model, tokenizing

    models.refuse_contradiction(on, address, device)
    numbers = options.whole_numbers(layers)
    with working("finished shards are kept; rerun the same command to continue") as here:
        # What is missing is reported before anything else is done.
        language_model.libraries()
        tokenizing.refuse_missing(model)
        warehouse.build(here, tested=False)
        with models.language_model(
            *(on, address, model, revision, dtype, device, batch_size)
        ) as source:
            n_saved = activations.save_activations(
                here, source, numbers, positions, out, round_number, shard_documents
            )
    terminal.say(f"saved activations of {n_saved:,} documents in {out}")
