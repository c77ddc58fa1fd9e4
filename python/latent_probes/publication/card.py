"""The dataset card: a template in which every figure is a named query over the published files."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import jinja2

from latent_probes.common import terminal
from latent_probes.publication import header, tables

NAME = "README.md"
# The line above a table ends with the name of its query, or says why there is no table.
LABEL = re.compile(r"\(`(\w+)`\)(?:, \d+ of [\d,]+ rows)?:(?: [a-z].*)?$")


def render(figures: duckdb.DuckDBPyConnection, folder: Path, settings: dict) -> str:
    """Render the card of the files in ``folder``; ``figures`` has the queries as views.

    A table without rows gets no config, because `datasets` raises if there is nothing to load.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the card is Markdown, and `cell` makes external texts harmless
    )
    environment.filters["cell"] = cell
    patterns = tables.patterns(figures)
    described = {
        config: header.described(folder, config, pattern) for config, pattern in patterns.items()
    }
    listed = {config: info for config, info in described.items() if header.has_rows(info)}
    return environment.get_template("card.md.jinja").render(
        header=header.render(patterns, listed, languages(figures), settings),
        configs=list(listed),
        rows=lambda query: rows(figures, query),
        table=lambda *arguments, **options: table(figures, *arguments, **options),
        histogram=lambda title: histogram(figures, title),
        meaning=meaning,
        interval=interval,
        settings=settings,
    )


def languages(figures: duckdb.DuckDBPyConnection) -> list[str]:
    """The languages of the documents of all published rounds."""
    found = figures.execute("select distinct language from rounds order by all")
    return [language for (language,) in found.fetchall()]


def rows(figures: duckdb.DuckDBPyConnection, query: str) -> list[dict]:
    """The rows of a named query."""
    found = figures.execute(f"from {query}")
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def table(
    figures: duckdb.DuckDBPyConnection,
    title: str,
    query: str,
    columns: dict[str, str],
    order: str = "all",
    *,
    where: str = "true",
    most: int = 40,
    nothing: str = "not measured",
) -> str:
    """The first ``most`` rows of a named query as a Markdown table, below its title and name.

    ``columns`` maps SQL expressions over the query, as ``shown``, to titles. If there is no row,
    the line ends with ``nothing``, or says that the rows of the query are others.
    """
    picked = ", ".join(columns)
    found = figures.execute(
        f"select {picked} from {query} as shown where {where} order by {order} limit {most}"
    ).fetchall()
    ((n_rows, n_shown),) = figures.execute(
        f"select count(*), count(*) filter (where {where}) from {query}"
    ).fetchall()
    if not found:
        reason = f"none of its {n_rows:,} rows is of this kind" if n_rows else nothing
        return f"{title} (`{query}`): {reason}."
    part = f", {most} of {n_shown:,} rows" if n_shown > most else ""
    lines = [
        f"{title} (`{query}`){part}:",
        "",
        f"| {' | '.join(columns.values())} |",
        "|" + "---|" * len(columns),
    ]
    for row in found:
        cells = map(cell, row, columns, columns.values())
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def meaning(kind: str, column: str) -> str:
    """SQL for the meaning of the name in a column of the query that is shown."""
    return (
        "(select any_value(explained.meaning) from meanings as explained "
        f"where explained.kind = '{kind}' and explained.name = shown.{column})"
    )


def interval(column: str) -> str:
    """SQL for an estimate and its interval, as one cell."""
    return f"{{'value': {column}, 'low': {column}_low, 'high': {column}_high}}"


def cell(value: object, name: str = "", title: str = "") -> str:
    """Format a value of the column ``name`` for a Markdown table.

    Dollars, shares and counts are formatted by the column's name. A meaning is Markdown; any other
    text can come from outside and is shown verbatim.
    """
    if value is None:
        return "unknown" if name == "usd" else ""
    if isinstance(value, list):
        return ", ".join(cell(item) for item in value)
    if isinstance(value, dict):
        estimate, low, high = (cell(value[part], name) for part in ("value", "low", "high"))
        return f"{estimate} [{low}, {high}]" if low and high else estimate
    if isinstance(value, str):
        text = re.sub(r"\s", " ", value)
        return text.replace("|", "\\|") if title == "meaning" else verbatim(text)
    if "usd" in name:
        return f"${value:,.5f}" if "per_probe" in name else f"${value:,.2f}"
    if "share" in name:
        return f"{value:.1%}"
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, int) and (name.startswith("n_") or name.endswith("_tokens")):
        return f"{value:,}"
    return str(value)


def verbatim(text: str) -> str:
    """A line of text as Markdown code, in which nothing is markup, a link or an address."""
    text = terminal.printable(text)
    # A backslash would undo the escape of the bar behind it.
    text = re.sub(r"(?<=\\)\|", " |", text).replace("|", r"\|")
    if not text:
        return ""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    is_stripped = text[0] == text[-1] == " " and text.strip(" ")
    pad = " " if "`" in (text[0], text[-1]) or is_stripped else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def histogram(figures: duckdb.DuckDBPyConnection, title: str) -> str:
    """Text histogram of the best scores, one line per bin, below its title."""
    lines = [f"{title} (`score_histogram`):", "", "```"]
    for row in rows(figures, "score_histogram"):
        bar = terminal.bar(row["share"])
        line = f"{row['label']}  {row['n_probes']:>9,}  {row['share']:>6.1%}  {bar}"
        lines.append(f"{line}  {row['band'].upper()}")
    return "\n".join([*lines, "```"])


def tables_of(text: str) -> dict[str, str]:
    """The tables and histograms of a card, by the names of their queries."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.split("\n"):
        if line.startswith(("|", "[")):
            found.get(name, []).append(line)
        elif label := LABEL.search(line):
            name = label[1]
            # Whether there are rows, and how many of them are shown.
            found[name] = [line[label.start() :]]
    return {name: "".join(f"{line}\n" for line in lines) for name, lines in found.items()}
