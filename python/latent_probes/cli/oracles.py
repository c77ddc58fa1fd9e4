"""Commands that ask activation oracles in this process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from latent_probes.cli import options
from latent_probes.cli.working import working
from latent_probes.oracles import ASSUMED, AUTOENCODER, METHODS

# What methods without an ao_config.json use of the options about the oracle and its states.
USED_OPTIONS: dict[str, tuple[str, ...]] = {
    AUTOENCODER: ("adapter", "layers", "states"),
    "logit-lens": ("layers", "states"),
    "patchscope": ("layers", "states"),
    "text": (),
}


def otherwise(name: str) -> str:
    """What a setting of an oracle is without its option, for its help."""
    return f" (default: of its ao_config.json, or else {ASSUMED[name]!r})."


def ask_oracle(
    name: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Name of the method, the same under all three conditions."
        ),
    ],
    model: options.Model,
    condition: Annotated[
        str,
        typer.Option(
            metavar="CONDITION",
            callback=options.condition,
            help="The state it is given: real_state, no_state or other_document_state.",
        ),
    ],
    adapter: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The oracle: a PEFT adapter on the Hub (OWNER/NAME[@REVISION]), or its folder; or "
            "the verbalizer of a natural-language autoencoder, with its nla_meta.yaml.",
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="; ".join(f"{name}: {meaning}" for name, meaning in METHODS.items()) + ".",
        ),
    ] = "oracle",
    layers: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS",
            help="Comma-separated layers, e.g. 9,18,27. Layer L is the output of model.layers[L], "
            "0-based, which save-activations calls L + 1. Required where the oracle's "
            "ao_config.json lists several combinations.",
        ),
    ] = None,
    positions: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="States per layer: the last tokens at or before the split"
            + otherwise("positions"),
        ),
    ] = None,
    inject: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="add: the state is added to the hidden state at its placeholder, with the norm "
            "of that; replace: it replaces it, with that norm" + otherwise("inject"),
        ),
    ] = None,
    hook_layer: Annotated[
        int | None,
        typer.Option(min=0, help="Layer after which states are injected" + otherwise("hook_layer")),
    ] = None,
    placeholder: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="The placeholder: one token" + otherwise("placeholder")),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What precedes the question, once per layer, with {layer} and {placeholders}"
            + otherwise("template"),
        ),
    ] = None,
    coefficient: Annotated[
        float | None,
        typer.Option(help="Factor of the injected state's norm" + otherwise("coefficient")),
    ] = None,
    states: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="States of save-activations; those that it lacks are computed.",
        ),
    ] = None,
    same_model: Annotated[
        bool,
        typer.Option(
            "--same-model", help="The adapter's base is --model, although under another name."
        ),
    ] = False,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="word, lens, … Repeatable. Default: all."),
    ] = None,
    documents: options.Documents = None,
    revision: options.Revision = None,
    dtype: options.Dtype = "auto",
    device: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="cpu, cuda, … (default: cuda if available). Of several, such as cuda:0,cuda:1, "
            "each has a copy of the models and answers a share of the documents.",
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Prompts answered at a time on a device.")
    ] = 16,
) -> None:
    """Ask an activation oracle about the states at the splits of published probes.

    --model is the source model of the documents and the oracle's base. States are taken with the
    adapter disabled, and injected at the placeholders of the prompt. Ask under all three
    conditions, then score the answers with `evaluate --name NAME --condition CONDITION`. How the
    oracle is asked is read from its ao_config.json; an option comes before it, and what neither
    says is assumed and printed. The verbalizer of a natural-language autoencoder (nla_meta.yaml)
    takes no question: it describes the state, and --model answers from the description. The other
    methods are baselines that need no adapter. Answers and the log-probabilities of the atom and of
    the wrong answer land with all settings, document by document: the command can be killed and
    rerun at any time. Needs the extras `lm` and `oracle`.
    """
    from latent_probes import warehouse
    from latent_probes.common import terminal
    from latent_probes.evaluation import oracles
    from latent_probes.local_models.scores import SCOPES
    from latent_probes.oracles import adapters, asking, methods, pending, saved, workers
    from latent_probes.oracles.setups import Setup
    from latent_probes.sampling import language_model, tokenizing

    options.one_of(method, list(METHODS))
    if inject is not None:
        options.one_of(inject, ["add", "replace"])
    for one in scope or ():
        options.one_of(one, SCOPES)
    devices = [] if device is None else options.devices(device)
    chosen = None if layers is None else tuple(options.whole_numbers(layers))
    given = {
        "layers": chosen,
        "positions": positions,
        "inject": inject,
        "hook_layer": hook_layer,
        "placeholder": placeholder,
        "template": template,
        "coefficient": coefficient,
    }
    others = {"adapter": adapter, "states": states, "same_model": same_model or None}
    refuse_unused(method, given | others)
    name = name.strip()
    with working("answers of finished documents have landed; rerun to continue") as here:
        # What is missing is reported before anything else is done.
        oracles.published(here)
        scopes = methods.scopes_of(method, scope)
        language_model.libraries()
        tokenizing.refuse_missing(model)
        found = None
        if adapter is not None:
            adapters.libraries()
            found = adapters.found_at(adapter)
            if found.is_verbalizer:
                method = AUTOENCODER
                refuse_unused(method, given | others)
            else:
                base = tokenizing.short_name(model)
                adapters.refuse_other_base(found.folder, base, is_same_model=same_model)
        setup = Setup(
            *(name, method, condition, model, revision, dtype, batch_size, scopes, given, found),
            is_same_model=same_model,
            states=states,
        )
        # The number of layers is known only with the model.
        setup.agreed(sys.maxsize, model)
        if states is not None:
            saved.settings_of(states)
        warehouse.build_part(here, pending.READ)
        asking.refuse_early(here, name, scopes)
        with workers.started(setup, devices[1:]) as processes:
            asked = setup.on(devices[0] if devices else None)
            if method != "text":
                terminal.say(asked.described())
            workers.wait_for_models(asked, processes)
            n_landed = asking.ask(here, asked, documents, processes)
    if n_landed:
        terminal.say(
            f"landed {n_landed:,} answers of {name} under {condition}: next, `latent-probes "
            f"evaluate --name {name!r} --condition {condition}`"
        )
    else:
        terminal.say(f"no new answers of {name} under {condition}")


def refuse_unused(method: str, given: dict[str, Any]) -> None:
    """Raise BadParameter for a missing adapter, and for options that the method would ignore.

    ``given`` has None for an option that is not given.
    """
    if method == "oracle" and given["adapter"] is None:
        raise typer.BadParameter("--adapter is missing: it is the oracle of --method oracle")
    used = USED_OPTIONS.get(method, given)
    for option, value in given.items():
        if value is not None and option not in used:
            raise typer.BadParameter(
                f"--{option.replace('_', '-')} does not apply to --method {method}: leave it out"
                if method != AUTOENCODER
                else f"--{option.replace('_', '-')} does not apply to a verbalizer, whose "
                "nla_meta.yaml says how it is asked: leave it out"
            )
    if method == "patchscope" and len(given["layers"] or ()) > 1:
        raise typer.BadParameter("--method patchscope reads one layer: give one with --layers")
