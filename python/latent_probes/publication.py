"""Write the data set: Parquet files, a dataset card and a manifest.

Nothing here depends on the clock: the same landing file gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb

from latent_probes import files, sql, summary, terminal, units, warehouse
from latent_probes.home import Home

# Rows of one document stand together, so long texts repeat within a row group: with the limits
# raised they are kept once, in its dictionary.
PARQUET = (
    "format parquet, compression zstd, compression_level 3, row_group_size 8192, "
    "dictionary_size_limit 8192, string_dictionary_page_size_limit 67108864"
)

DTYPES = {"VARCHAR": "string", "BIGINT": "int64", "DOUBLE": "float64"}
BAR_WIDTH = 32


class ExportError(Exception):
    """The data set cannot be written; the message says what is missing."""


def export(home: Home) -> None:
    """Test the warehouse, then write what it publishes to the export folder.

    Raises ExportError while anything is pending, warehouse.WarehouseError if a test fails;
    the export folder then stays as it was.
    """
    warehouse.build(home, tested=True)
    with warehouse.opened(home) as connection:
        # A join on two threads gives its rows in another order each time.
        connection.execute("set threads = 1")
        refuse_pending(connection)
        rounds = [
            number
            for (number,) in connection.execute(
                "select distinct round_number from probes order by round_number"
            ).fetchall()
        ]
        if not rounds:
            raise ExportError("there are no probes yet: land rollouts and run a round first")
        written = write_rounds(home, connection, rounds)
        for path in (home.export / "data").glob("*.parquet"):
            if path.name not in written:
                path.unlink()
        write_text(home.export / "README.md", card(home, connection))
        write_text(home.export / "manifest.json", manifest(home, connection))


def refuse_pending(connection) -> None:
    """Raise while a slot or a score of a published round is not decided."""
    n_slots, n_scores = connection.execute(
        """
        select
            (select count(*) from slots where state = 'pending'),
            (select count(*) from probe_scores where unscored_reason = 'pending')
        """
    ).fetchall()[0]
    if n_slots or n_scores:
        raise ExportError(
            f"{n_slots:,} slots and the scores of {n_scores:,} probes are pending: "
            "finish them with `latent-probes run --provider …`, "
            "or withdraw the round in seeds/rounds.csv"
        )


def write_rounds(home: Home, connection, rounds: list[int]) -> set[str]:
    """Write one Parquet file per round; return their names. An unchanged file is not touched."""
    columns = ", ".join(
        name
        for (name,) in connection.execute(
            "select column_name from published_columns order by position"
        ).fetchall()
    )
    written = set()
    with terminal.progress("exporting", len(rounds), "rounds") as advance:
        for number in rounds:
            path = home.export / "data" / f"train-round-{number:04d}.parquet"
            partial = path.with_suffix(".partial")
            partial.parent.mkdir(parents=True, exist_ok=True)
            connection.execute(
                f"""
                copy (
                    select {columns} from published_probes
                    where round_number = {number}
                    order by doc_id, slot_idx
                ) to {sql.literal(partial)} ({PARQUET})
                """
            )
            if path.exists() and files.hash_of(path) == files.hash_of(partial):
                partial.unlink()
            else:
                files.replace(partial, path)
            written.add(path.name)
            advance(1)
    return written


def write_text(path: Path, text: str) -> None:
    """Write a text file, unless it says that already."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        with files.written_whole(path) as partial:
            partial.write_text(text, encoding="utf-8")


def data_files(home: Home) -> list[Path]:
    """The exported Parquet files, in order."""
    return sorted((home.export / "data").glob("*.parquet"))


def manifest(home: Home, connection) -> str:
    """Rounds with their batches and documents, and the files with their hashes, as JSON."""
    rounds = connection.execute("from round_manifest order by round_idx")
    names = [column[0] for column in rounds.description]
    settings = warehouse.settings(home)
    return (
        json.dumps(
            {
                "rounds": [dict(zip(names, row, strict=True)) for row in rounds.fetchall()],
                "files": [
                    {
                        "path": f"data/{path.name}",
                        "bytes": path.stat().st_size,
                        "sha256": files.hash_of(path),
                    }
                    for path in data_files(home)
                ],
                "tokenizer": units.tokenizer_version(
                    settings["tokenizer"], settings["tokenizer_files"]
                ),
                "settings": settings,
            },
            indent=2,
            ensure_ascii=False,
            default=str,
        )
        + "\n"
    )


def card(home: Home, connection) -> str:
    """The dataset card, every figure of it a query."""
    import jinja2

    def one(query: str):
        return connection.execute(query).fetchall()[0][0]

    def column(query: str) -> list:
        return [row[0] for row in connection.execute(query).fetchall()]

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the card is Markdown, and its cells are escaped by `markdown`
    )
    settings = warehouse.settings(home)
    offline = one("select bool_or(generator_model = 'lexical') from train")
    return environment.get_template("card.md.jinja").render(
        header=header(home, connection),
        offline=offline,
        source_models=[
            cell(name) for name in column("select distinct source_model from train order by 1")
        ],
        n_answers=" or ".join(
            str(n)
            for n in column("select distinct n_answers from round_manifest order by n_answers")
        ),
        n_probes=f"{one('select count(*) from train'):,}",
        n_slots=f"{one('select count(*) from slots'):,}",
        n_documents=f"{one('select count(distinct (source_model, doc_id)) from train'):,}",
        calibration_levels=column(
            "select distinct calibration_level from round_manifest order by 1"
        ),
        tokenizer=units.tokenizer_version(settings["tokenizer"], settings["tokenizer_files"]),
        histogram="\n".join(histogram(connection)),
        scopes=markdown(
            connection,
            """
            select
                scope, n_probes as probes, n_slots as slots, n_scored as scored,
                score_max_mean as "mean max score", hard_share as "HARD", easy_share as "EASY"
            from scope_summary order by scope_order
            """,
        ),
        typicality=markdown(
            connection,
            "select scope, typicality, band, n_probes as probes "
            "from typicality_splits order by all",
        ),
        rejections=markdown(
            connection,
            "select rejection_reason as reason, scope, n_slots as slots, meaning "
            "from rejection_summary order by n_slots desc, reason, scope",
        ),
        unscored=markdown(
            connection,
            "select unscored_reason as reason, scope, n_probes as probes "
            "from unscored_summary order by all",
        ),
        answer_formats=markdown(
            connection,
            "select answer_format as form, n_answers as answers, share "
            "from answer_formats order by n_answers desc, form",
        ),
        spend=markdown(
            connection,
            f"""
            select
                round_number as round, stage, model, provider, n_attempts as requests,
                input_tokens as "input tokens",
                cache_write_five_minutes_tokens + cache_write_one_hour_tokens as "cache writes",
                cache_read_tokens as "cache reads", output_tokens as "output tokens",
                {terminal.dollars("usd")} as spent
            from spend order by round_number, stage_order, model, provider
            """,
        ),
        spend_per_probe=markdown(connection, summary.spend_per_probe()),
        prices=markdown(
            connection,
            f"""
            select
                model, provider,
                {terminal.dollars("input_usd * 1e6", 3)} as "million tokens of input",
                {terminal.dollars("output_usd * 1e6", 3)} as "of output",
                priced_on as "priced on", source
            from token_prices
            where (model, provider) in (select (model, provider) from spend)
            order by model, provider
            """,
        ),
        columns=markdown(
            connection,
            "select column_name as column, column_type as type, meaning "
            "from published_columns order by position",
        ),
        rollouts=markdown(
            connection,
            'select kind, name, source_hash as "SHA-256", n_rollouts as rollouts '
            "from card_rollouts order by all",
        ),
    )


def histogram(connection) -> Iterator[str]:
    """The best score of each scored probe, a line per bin."""
    for label, n_probes, share, band in connection.execute(
        "select label, n_probes, share, band from score_histogram order by bin"
    ).fetchall():
        bar = "█" * round(share * BAR_WIDTH)
        note = "" if band == "middle" else band.upper()
        yield f"{label}  {n_probes:>9,}  {share:>6.1%}  {bar:<{BAR_WIDTH}}  {note}".rstrip()


def markdown(connection, query: str) -> str:
    """The result of a query as a Markdown table."""
    rows = connection.execute(query).fetchall()
    names = [column[0] for column in connection.description]
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    lines += [f"| {' | '.join(map(cell, row))} |" for row in rows]
    return "\n".join(lines) if rows else "None."


def cell(value) -> str:
    """A value in a Markdown table; what could end the cell, or start markup, is escaped."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, int):
        return f"{value:,}"
    text = terminal.printable(str(value)).replace("\n", " ")
    return re.sub(r"([\\|\[\]`*#])", r"\\\1", text).replace("<", "&lt;")


def header(home: Home, connection) -> str:
    """The YAML header: where the data lies, its features and its size."""
    import pyarrow.parquet
    import yaml

    paths = data_files(home)
    n_bytes = n_rows = 0
    for path in paths:
        parquet = pyarrow.parquet.ParquetFile(path)
        for group in range(parquet.num_row_groups):
            table = parquet.read_row_group(group)
            n_bytes += table.nbytes
            n_rows += table.num_rows
    described = connection.execute(
        "select column_name, column_type from published_columns order by position"
    ).fetchall()
    return yaml.safe_dump(
        {
            "configs": [
                {
                    "config_name": "default",
                    "data_files": [{"split": "train", "path": "data/train-*"}],
                }
            ],
            "dataset_info": {
                "features": [feature(name, kind) for name, kind in described],
                "splits": [{"name": "train", "num_bytes": n_bytes, "num_examples": n_rows}],
                "download_size": sum(path.stat().st_size for path in paths),
                "dataset_size": n_bytes,
            },
        },
        sort_keys=False,
    ).strip()


def feature(name: str, kind: str) -> dict:
    """A column as `datasets` describes it."""
    if kind.endswith("[]"):
        return {"name": name, "list": DTYPES[kind.removesuffix("[]")]}
    if kind.startswith("STRUCT"):
        (fields,) = duckdb.execute(f"select null::{kind}").description
        return {
            "name": name,
            "struct": [feature(field, str(t)) for field, t in fields[1].children],
        }
    return {"name": name, "dtype": DTYPES[kind]}
