"""Arguments and options that several commands share."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

from latent_probes import providers
from latent_probes.common.home import project_directory
from latent_probes.providers import ProviderError

ENGINES = ("ray",)


def one_of(given: str, known: Sequence[str]) -> str:
    """Check that a value is one of ``known``. Raises BadParameter, with the closest one."""
    if given in known:
        return given
    closest = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    question = f": did you mean {closest[0]!r}?" if closest else ""
    raise typer.BadParameter(f"{given!r} is not one of {', '.join(known)}{question}")


def pairs(given: list[str] | None, form: str, known: tuple[str, ...]) -> dict[str, str]:
    """Parse options of a form like OURS=THEIRS, where OURS is one of ``known``.

    Raises BadParameter if the form or the name is wrong.
    """
    found = {}
    for pair in given or []:
        ours, equals, theirs = pair.partition("=")
        if not (ours and equals and theirs):
            raise typer.BadParameter(f"{pair!r} does not have the form {form}")
        found[one_of(ours, known)] = theirs
    return found


def whole_numbers(given: str) -> list[int]:
    """Parse layers. Raises BadParameter unless they are whole numbers, separated by commas."""
    numbers = list(dict.fromkeys(number.strip() for number in given.split(",")))
    if not all(number.isdecimal() for number in numbers):
        raise typer.BadParameter(
            f"--layers must be a comma-separated list of integers, e.g. 10,19,28, not {given!r}"
        )
    return list(map(int, numbers))


def devices(given: str) -> list[str]:
    """Parse devices. Raises BadParameter unless they are different names, separated by commas."""
    names = [name.strip() for name in given.split(",")]
    known = {"cuda:0" if name == "cuda" else name for name in names}
    if not all(names) or len(known) < len(names):
        raise typer.BadParameter(
            f"--device must be one device, or several different ones, e.g. cuda:0,cuda:1, not "
            f"{given!r}"
        )
    return names


def engine(given: str | None) -> str | None:
    """Check the name of an engine, if given. Raises BadParameter for an unknown one."""
    return given if given is None else one_of(given, ENGINES)


def delimiter(given: str) -> str:
    """Parse a delimiter of CSV files. Raises BadParameter unless it is one character."""
    found = {"tab": "\t", "\\t": "\t"}.get(given, given)
    if len(found) != 1 or found in '"\r\n\0':
        raise typer.BadParameter(f"{given!r} is not one character, such as ';', or the word tab")
    return found


def dollars(limit: float | None) -> float | None:
    """Check a limit in dollars, if given. Raises BadParameter for negative numbers and NaN."""
    if limit is not None and not limit >= 0:
        raise typer.BadParameter(f"must be a non-negative amount in dollars, not {limit}")
    return limit


def provider(given: str | None) -> str | None:
    """Check the name of a provider, if given. Raises BadParameter for an unknown one."""
    project = project_directory()
    # Outside of a project, the command says what is wrong.
    if given is None or project is None:
        return given
    with suppress(ProviderError):
        return one_of(given, [listed.name for listed in providers.listed(project)])
    return given


def condition(given: str) -> str:
    """Check the name of a condition. Raises BadParameter for an unknown one."""
    from latent_probes.warehouse import ProjectError, seed_files

    project = project_directory()
    with suppress(ProjectError):
        if project is not None:
            lines = seed_files.read_seed(project, "oracle_conditions").lines
            return one_of(given, [line.values["condition"] or "" for line in lines])
    return given


def provider_help() -> str:
    """Help that lists the providers of this project; outside of one, only where they are listed."""
    project = project_directory()
    listed: list[providers.Listed] = []
    # In another dbt project, help is still help; what needs a provider says what is wrong.
    with suppress(ProviderError):
        listed = [] if project is None else providers.listed(project)
    names = "; ".join(f"{provider.name} ({provider.description})" for provider in listed)
    return f"Provider to use: {names or 'a name in seeds/providers.csv'}."


Answerer = Annotated[
    str,
    typer.Option(
        "--provider",
        metavar="NAME",
        callback=provider,
        help=provider_help(),
    ),
]
Once = Annotated[
    bool,
    typer.Option(
        "--once",
        help="Land finished batches, submit pending requests, then exit without waiting.",
    ),
]
MaxCost = Annotated[
    float | None,
    typer.Option(
        metavar="DOLLARS",
        callback=dollars,
        help="Stop before total spend could exceed this amount; every request is costed at its "
        "maximum answer length.",
    ),
]
Delimiter = Annotated[
    str,
    typer.Option(
        metavar="CHARACTER",
        callback=delimiter,
        help="What separates the fields of CSV files: a character, or `tab`.",
    ),
]
Documents = Annotated[
    int | None,
    typer.Option(min=1, help="Number of documents. A larger number extends the same selection."),
]
Seed = Annotated[int, typer.Option(help="Random seed for token sampling.")]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="Maximum continuation length, in tokens.")]

# Options of a language model, in this process or on a server.
Model = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Language model: a name on the Hub, a folder, or a .gguf file."
    ),
]
SourceModel = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Source model: a name on the Hub, a folder, or a .gguf file."
    ),
]
Revision = Annotated[
    str | None, typer.Option(metavar="NAME", help="Branch, tag or commit on the Hub.")
]
Dtype = Annotated[
    str,
    typer.Option(metavar="NAME", help="float32, bfloat16, …; auto: the stored weights' dtype."),
]
Device = Annotated[
    str | None, typer.Option(metavar="NAME", help="cpu, cuda, … (default: cuda if available).")
]
On = Annotated[
    str | None,
    typer.Option(
        metavar="ENGINE",
        callback=engine,
        help="Share the work among copies of the model on a cluster: ray (default: in this "
        "process). One copy a GPU or, without any, one a machine.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="With --on: the cluster, such as auto or host:6379 (default: a local one, started "
        "for this command).",
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Sample on a server with a completions endpoint, such as vLLM "
        "(http://host:port/v1). The key, if needed, is read from OPENAI_API_KEY.",
    ),
]
RolloutBatch = Annotated[int, typer.Option(min=1, help="Rollouts sampled at a time.")]
Tokenizer = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="With --server: send token ids of this tokenizer (a name on the Hub or a folder) "
        "instead of text.",
    ),
]
InFlight = Annotated[int, typer.Option(min=1, help="With --server: number of concurrent requests.")]
