"""The dataset card: a template in which every figure is a named query over the published files."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import jinja2

from latent_probes.common import terminal
from latent_probes.publication import header, queries, tables

NAME = "README.md"


def render(figures: duckdb.DuckDBPyConnection, folder: Path, settings: dict) -> str:
    """Render the card of the files in ``folder``; ``figures`` has the queries as views."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the card is Markdown, and its cells are escaped by `cell`
    )
    environment.filters["cell"] = environment.globals["cell"] = cell
    return environment.get_template("card.md.jinja").render(
        header=header.render(folder, tables.published(figures), languages(figures), settings),
        rows=lambda query: rows(figures, query),
        table=lambda query, columns, order="all", **options: table(
            figures, query, columns, order, **options
        ),
        histogram=lambda: histogram(figures),
        query=lambda name: query_text(folder, name),
        settings=settings,
    )


def languages(figures: duckdb.DuckDBPyConnection) -> list[str]:
    """The languages of the documents of all published rounds."""
    found = figures.execute("select distinct language from published_rounds order by all")
    return [language for (language,) in found.fetchall()]


def rows(figures: duckdb.DuckDBPyConnection, query: str) -> list[dict]:
    """The rows of a named query."""
    found = figures.execute(f"from {query}")
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def table(
    figures: duckdb.DuckDBPyConnection,
    query: str,
    columns: dict[str, str],
    order: str,
    where: str = "true",
    nothing: str = "None.",
) -> str:
    """Columns of a named query as a Markdown table with titles, followed by the query's name."""
    picked = ", ".join(columns)
    found = figures.execute(
        f"select {picked} from {query} where {where} order by {order}"
    ).fetchall()
    if not found:
        return f"{nothing} (`{query}`)"
    lines = [f"| {' | '.join(columns.values())} |", "|" + "---|" * len(columns)]
    for row in found:
        cells = (cell(value, name) for name, value in zip(columns, row, strict=True))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"Query: `{query}`"])


def cell(value: object, name: str = "") -> str:
    """Format a value of the column ``name`` for a Markdown table.

    Dollars, shares and counts are formatted by the column's name; characters that could end the
    cell or start markup are escaped.
    """
    if value is None:
        return "no price known" if name == "usd" else ""
    if isinstance(value, list):
        return ", ".join(cell(item) for item in value)
    if "usd" in name:
        return f"${value:,.5f}" if "per_probe" in name else f"${value:,.2f}"
    if "share" in name:
        return f"{value:.1%}"
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, int) and (name.startswith("n_") or name.endswith("_tokens")):
        return f"{value:,}"
    text = terminal.printable(str(value)).replace("\n", " ")
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    # Addresses in external texts must not become links.
    text = text.replace("://", "&#58;//").replace("www.", "www&#46;")
    return re.sub(r"([\\|\[\]`*_~])", r"\\\1", text)


def histogram(figures: duckdb.DuckDBPyConnection) -> str:
    """Text histogram of the best scores, one line per bin."""
    lines = []
    for row in rows(figures, "score_histogram"):
        note = "" if row["band"] == "middle" else row["band"].upper()
        bar = terminal.bar(row["share"])
        line = f"{row['label']}  {row['n_probes']:>9,}  {row['share']:>6.1%}  {bar}"
        lines.append(f"{line}  {note}".rstrip())
    return "\n".join(lines)


def query_text(folder: Path, name: str) -> str:
    """The text of a query in the folder's queries.sql."""
    text = (folder / queries.NAME).read_text(encoding="utf-8")
    (found,) = re.findall(
        rf"^create or replace view {name} as\n(.*?);$", text, re.DOTALL | re.MULTILINE
    )
    return found
