"""Compare the export of many documents with `datasets`' own writer, and read both back.

    python bench/export.py [DOCUMENTS] [PAGES.jsonl]

Fills the tables of a warehouse with DOCUMENTS documents (default 2,000; the published data set of
the field has 36,997) in rounds of 12,500, with 16 probes and 30 answers each. Their texts are
randomly ordered sentences of the `text` of PAGES.jsonl, or of the bundled sample, which has few and
compresses too well. Prints bytes, seconds and peak memory of each writer, each in a separate
process, and of several ways to read: complete or streamed with `load_dataset`, three columns with
DuckDB, one row group like a viewer.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import pyarrow
import rebuild
import regex

DOCUMENTS_OF_A_ROUND = 12_500
DOCUMENTS_AT_ONCE = 500
LONGEST_SENTENCE = 400
SCOPES = ["word"] * 5 + ["lens"] * 5 + ["sentence"] * 3 + ["paragraph"] * 2 + ["whole"]

WRITERS = {
    "ours": """
import sys
from pathlib import Path
from latent_probes import publication, warehouse
from latent_probes.common.home import Home
from latent_probes.publication import tables
home = Home(Path.cwd(), Path.cwd())
with warehouse.opened(home) as connection:
    chosen = [table for table in tables.published(connection) if table.config == sys.argv[1]]
    publication.write_tables(home, connection, chosen)
""",
    # The rows come from the cache of `datasets`, since creating it is not part of writing.
    "datasets": """
import sys
from pathlib import Path
import datasets
rows = datasets.load_dataset("parquet", data_files="export/data/*.parquet", split="train",
                             cache_dir="cache")
if len(sys.argv) > 1:
    Path("theirs").mkdir()
    rows.to_parquet("theirs/train.parquet")
""",
    "one wide COPY, sorted": """
import duckdb
connection = duckdb.connect("warehouse.duckdb", read_only=True)
described = connection.execute("from train limit 0").description
columns = ", ".join(f'"{name}"' for name, *_ in described)
connection.execute(f"copy (select {columns} from published_probes order by round_number, doc_id, "
                   "slot_idx) to 'wide.parquet' (compression zstd)")
""",
}
READERS = {
    "load_dataset, whole": """
import sys, datasets, tempfile
with tempfile.TemporaryDirectory() as cache:
    print(len(datasets.load_dataset("parquet", data_files=sys.argv[1], split="train",
                                    cache_dir=cache)))
""",
    "load_dataset, streaming": """
import os, sys, datasets
rows = datasets.load_dataset("parquet", data_files=sys.argv[1], split="train", streaming=True)
print(sum(len(batch["doc_id"]) for batch in rows.with_format("arrow").iter(1000)))
# Threads of the reader may abort an interpreter that ends.
os._exit(0)
""",
    "DuckDB, three columns": """
import sys, duckdb
print(duckdb.sql(f"select scope, target, avg(bb_answer_score_max), count(*) "
                 f"from '{sys.argv[1]}' group by all").fetchall() and "")
""",
    # A viewer knows the row groups of each file and reads one.
    "the row group in the middle": """
import glob, sys, pyarrow.parquet
files = [pyarrow.parquet.ParquetFile(path) for path in sorted(glob.glob(sys.argv[1]))]
file = files[len(files) // 2]
print(file.read_row_group(file.num_row_groups // 2).num_rows)
""",
}


def main() -> None:
    """Run the benchmark and print its tables."""
    n_documents = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    pages = Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as name:
        folder = Path(name)
        rebuild.prepare(folder, n_documents)
        run(folder, [rebuild.COMMANDS / "latent-probes", "status"])
        # In a separate process: this one's memory would count in the peak of all its children.
        filling = multiprocessing.get_context("spawn").Process(
            target=fill, args=(folder, n_documents, pages)
        )
        filling.start()
        filling.join()
        if filling.exitcode:
            sys.exit("the warehouse cannot be filled")
        print(f"{n_documents:,} documents, {16 * n_documents:,} probes, {os.cpu_count()} cores")
        print("\n| written by | bytes | seconds | CPU-seconds | peak memory |")
        print("|---|---:|---:|---:|---:|")
        report(
            "ours, default", folder, "export/data/*", run(folder, code(WRITERS["ours"], "default"))
        )
        report(
            "ours, compact",
            folder,
            "export/compact/*",
            run(folder, code(WRITERS["ours"], "compact")),
        )
        run(folder, code(WRITERS["datasets"]))
        theirs = run(folder, code(WRITERS["datasets"], "write"))
        report("`datasets`, as it comes", folder, "theirs/*", theirs)
        wide = run(folder, code(WRITERS["one wide COPY, sorted"]))
        report("DuckDB, one COPY, sorted", folder, "wide.parquet", wide)
        print(
            "\n| read by | ours, seconds | MB | theirs, seconds | MB |\n|---|---:|---:|---:|---:|"
        )
        for reader, text in READERS.items():
            read = [
                run(folder, code(text, path))
                for path in ("export/data/*.parquet", "theirs/*.parquet")
            ]
            cells = (f"{seconds:.1f} | {memory:,.0f}" for seconds, _, memory in read)
            print(f"| {reader} | {' | '.join(cells)} |", flush=True)


def sentences(pages: Path | None) -> list[str]:
    """The sentences of pages, or of the bundled sample."""
    path = pages or rebuild.ROOT / "sample" / "rollouts.jsonl"
    with path.open() as file:
        texts = [row.get("text") or row["continuation"] for row in map(json.loads, file)]
    return [
        sentence
        for text in texts
        for sentence in regex.split(r"(?<=[.!?])\s+", text)
        if 20 < len(sentence) < LONGEST_SENTENCE and "\n" not in sentence
    ]


def fill(folder: Path, n_documents: int, pages: Path | None) -> None:
    """Fill the warehouse with documents, probes and scores, like a finished round."""
    of = sentences(pages)
    connection = duckdb.connect(str(folder / "warehouse.duckdb"))
    connection.execute(f"attach '{folder / 'landing.duckdb'}' as landing (read_only)")
    connection.execute(
        """
        create or replace table round_settings as
        select * replace (number as round_number, now()::timestamp as started_at)
        from round_settings
        cross join range(1, ? // ? + 2) as numbers (number)
        """,
        [n_documents - 1, DOCUMENTS_OF_A_ROUND],
    )
    # What is filled here is a table.
    connection.execute(
        """
        create table scores as from probe_scores limit 0;
        drop view probe_scores;
        alter table scores rename to probe_scores;
        """
    )
    draw = random.Random(1)
    for start in range(0, n_documents, DOCUMENTS_AT_ONCE):
        numbers = range(start, min(start + DOCUMENTS_AT_ONCE, n_documents))
        fill_some(connection, numbers, of, draw)
    connection.close()


def fill_some(connection, numbers: range, of: list[str], draw: random.Random) -> None:
    """Put some documents with their probes into the tables that `published_probes` reads."""
    documents, probes = [], []
    for number in numbers:
        parts = draw.choices(of, k=draw.randint(50, 75))
        text = " ".join(parts)
        ends = [0]
        for part in parts:
            ends.append(ends[-1] + len(part) + 1)
        splits = {
            group: ends[draw.randint(20, 30)] - 1 for group in ("word_lens", "sentence", "whole")
        }
        documents.append((number, text, *splits.values()))
        for slot, scope in enumerate(SCOPES):
            group = scope if scope in splits else "word_lens" if slot < 10 else "sentence"
            split = splits[group]
            first = draw.randint(35, 45)
            wide = {"word": (ends[first], ends[first] + 6), "whole": (split + 1, len(text))}
            start, end = wide.get(scope, (ends[first], ends[first + slot % 3 + 1] - 1))
            said = draw.choices(of, k=6) if slot >= 10 else None
            asked = " ".join(draw.choices(of, k=1)) if slot >= 10 else f"What is word {first}?"
            scores = [draw.randint(0, 20) / 20 for _ in range(5)] if said else None
            probes.append(
                (
                    number,
                    slot,
                    scope,
                    split,
                    start,
                    end,
                    asked,
                    said and said[5],
                    said and said[:5],
                    scores,
                )
            )
    connection.register("some_documents", arrow(documents, "number text word_lens sentence whole"))
    connection.register(
        "some_probes",
        arrow(
            probes, "number slot_idx scope split_offset atom_start atom_end asked note said scores"
        ),
    )
    ((output,),) = connection.execute(
        "select data_type from duckdb_columns() "
        "where table_name = 'chosen_documents' and column_name = 'output'"
    ).fetchall()
    for statement in STATEMENTS:
        connection.execute(statement.replace("OUTPUT", output))


def arrow(rows: list[tuple], names: str) -> pyarrow.Table:
    """Rows as a table."""
    return pyarrow.table(dict(zip(names.split(), zip(*rows, strict=True), strict=True)))


ROUND = f"(number // {DOCUMENTS_OF_A_ROUND} + 1)::bigint as round_number"
KEYS = f"{ROUND}, printf('bench-%06d', number) as doc_id"
DOCUMENT_ID = "md5(number::varchar) as document_id"
STATEMENTS = (
    f"""
    insert into documents by name
    select {DOCUMENT_ID}, 'bench' as source_model, printf('bench-%06d', number) as doc_id,
        1 as continuation_idx, 'https://example.org/' || number as doc_source, text,
        length(text) as text_length, md5(text) as text_hash, 1000 as prefix_length
    from some_documents
    """,
    f"""
    insert into round_documents by name
    select {KEYS}, 'bench' as source_model, number as row_seed from some_documents
    """,
    f"""
    insert into chosen_documents by name
    select {KEYS}, {DOCUMENT_ID}, 'claude-haiku-4-5-20251001' as generator_model,
        json_object(
            'document', 'd1', 'splits', null, 'probes', null,
            'document_rationale', left(text, 200), 'split_rationale', right(text, 200)
        )::OUTPUT as output
    from some_documents
    """,
    f"""
    insert into splits by name
    select {KEYS}, unnest(['word_lens', 'sentence', 'paragraph', 'whole']) as split_group,
        unnest([word_lens, sentence, sentence, whole]) as split_offset
    from some_documents
    """,
    f"""
    insert into probes by name
    select md5(number || '-' || slot_idx) as probe_id, {KEYS}, slot_idx, 'bench' as source_model,
        scope, slot_idx >= 10 as is_written, {DOCUMENT_ID}, split_offset, atom_start, atom_end,
        'suffix' as target, 0 as complement_start, split_offset as complement_end,
        if(slot_idx % 2 = 0, 'typical', 'atypical') as typicality, 1 as signed_index,
        asked as verbalizer_prompt, coalesce(note, asked) as target_response,
        reverse(asked) as incorrect_plausible_answer, note as synergy_check,
        note as distribution_check, asked as difficulty_check, 5 as n_words_to_atom
    from some_probes
    order by number, slot_idx
    """,
    f"""
    insert into answer_texts by name
    select {KEYS}, slot_idx, md5(number || '-' || slot_idx) as probe_id, 'complement' as arm,
        'bench' as source_model, said as answers
    from some_probes where said is not null
    order by number, slot_idx
    """,
    f"""
    insert into probe_scores by name
    select md5(number || '-' || slot_idx) as probe_id, {KEYS.split(",")[0]}, scores,
        5 as n_answers, 5 as n_scores, list_avg(scores) as score_mean,
        list_max(scores) as score_max, list_min(scores) as score_min
    from some_probes where said is not null
    """,
)


def code(text: str, *arguments: str) -> list:
    """A command that runs Python code."""
    return [sys.executable, "-c", text, *arguments]


def run(folder: Path, command: list) -> tuple[float, float, float]:
    """Run a command; return its seconds, CPU-seconds and peak memory in MB."""
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ
        | {
            "LATENT_PROBES_HOME": ".",
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(folder / "hf"),
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        },
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} failed")
    return time.monotonic() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def report(name: str, folder: Path, pattern: str, measured: tuple[float, float, float]) -> None:
    """Print a line of the table of writers."""
    size = sum(path.stat().st_size for path in folder.glob(pattern))
    seconds, processor, memory = measured
    print(
        f"| {name} | {size / 1e6:,.1f} MB | {seconds:.1f} | {processor:.1f} | {memory:,.0f} MB |",
        flush=True,
    )


if __name__ == "__main__":
    main()
