"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer


def pairs(given: list[str] | None, form: str, known: tuple[str, ...]) -> dict[str, str]:
    """Options of a form like OURS=THEIRS, where OURS is one of ``known``.

    Raises BadParameter for any other form or name.
    """
    found = {}
    for pair in given or []:
        ours, equals, theirs = pair.partition("=")
        if not (ours and equals and theirs):
            raise typer.BadParameter(f"{pair!r} is not of the form {form}")
        if ours not in known:
            raise typer.BadParameter(f"{ours!r} is not one of {', '.join(known)}")
        found[ours] = theirs
    return found


def dollars(limit: float | None) -> float | None:
    """A limit in dollars, if one was given. Raises BadParameter below 0, and for NaN."""
    if limit is not None and not limit >= 0:
        raise typer.BadParameter(f"{limit} is not an amount in dollars")
    return limit


Answerer = Annotated[
    str,
    typer.Option(
        "--provider",
        metavar="NAME",
        help="Who answers: anthropic-batches (Claude at half the price, within a day), "
        "anthropic-messages (Claude at once, or your own server of /v1/messages), "
        "lexical (the offline baseline).",
    ),
]
Once = Annotated[
    bool,
    typer.Option("--once", help="Land what has ended, submit what is pending, and exit."),
]
MaxCost = Annotated[
    float | None,
    typer.Option(
        metavar="DOLLARS",
        callback=dollars,
        help="Never spend more than this in total, counting everything sent so far and the "
        "longest answer that each request allows.",
    ),
]
Documents = Annotated[
    int | None,
    typer.Option(min=1, help="How many documents; a larger number includes the smaller's."),
]
Seed = Annotated[int, typer.Option(help="Seed for sampling tokens.")]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="Longest continuation, in tokens.")]

# A language model, in this process or on a server.
Model = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="A language model: a name on the Hub, a folder, or a .gguf file."
    ),
]
SourceModel = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="The source model: a name on the Hub, a folder, or a .gguf file."
    ),
]
Revision = Annotated[
    str | None, typer.Option(metavar="NAME", help="Branch, tag or commit on the Hub.")
]
Dtype = Annotated[
    str, typer.Option(metavar="NAME", help="float32, bfloat16, …; auto: as the weights are stored.")
]
Device = Annotated[
    str | None, typer.Option(metavar="NAME", help="cpu, cuda, …; by default cuda if available.")
]
Server = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Sample on a server with a completions endpoint (http://host:port/v1, vLLM). "
        "Its key, if it needs one, is read from OPENAI_API_KEY.",
    ),
]
RolloutBatch = Annotated[int, typer.Option(min=1, help="Rollouts sampled at a time.")]
Tokenizer = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="With --server: send token ids of this tokenizer (a name on the Hub, or a folder) "
        "instead of text.",
    ),
]
InFlight = Annotated[int, typer.Option(min=1, help="With --server: number of concurrent requests.")]
