"""Measure every command and every model at the size of the data set that the field has.

    python bench/full_size.py [--documents N] [--pages PAGES.jsonl] [--folder FOLDER] [--steps …]

Makes rollouts of N documents (default 4,000; the field has 36,997) in three rounds and runs every
command over them with the default settings, answered by the offline baseline. Documents have 3,000
to 6,000 characters in seeded disorder of the sentences of PAGES.jsonl (`text`), or of the bundled
sample, and 4 to 15 siblings. Answers are as long as a language model's, and 1.3 % of the
generator's are damaged. With a FOLDER, its input is made once, and a rerun continues after the last
step that finished; `results.jsonl` there keeps all figures.

Prints for each step seconds, CPU-seconds, CPU-milliseconds a document, peak memory, and bytes that
the process read and wrote; then, of the same SQL without dbt, CPU-seconds of each model.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet
from rebuild import COMMANDS, ROOT, prepare

ROUNDS = 3
# Some prefixes are excluded.
SPARE = 1.03
AT_ONCE = 200
# Mean lengths of the sample's recorded answers, and damaged ones a thousand.
GENERATOR_CHARACTERS = 6_000
ANSWER_WORDS = 30
DAMAGED_PER_MILLE = 13
MODELS_SHOWN = 40

# Sentences by page. Of the sample, a prefix and its continuations are one.
PAGES = r"""
select regexp_extract_all(text, '[A-Z][^.!?\n]{40,260}[.!?]') as sentences
from (select id, any_value(text) as text from read_json(?) group by id)
where len(sentences) >= 12
order by id
"""
SAMPLE_PAGES = r"""
select regexp_extract_all(text, '[A-Z][^.!?\n]{40,260}[.!?]') as sentences
from (
    select
        doc_id,
        prefix || string_agg(continuation, '' order by continuation_idx) as text,
    from read_json(?)
    group by doc_id, prefix
)
where len(sentences) >= 12
order by doc_id
"""
STEPS = {
    "land": "latent-probes land rollouts.parquet",
    "plan": "latent-probes plan",
    "run": "run with long answers",
    "export": "latent-probes export",
    "kept": "dbt run --quiet",
    "fresh": "dbt build --quiet --exclude-resource-type test --exclude-resource-type unit_test",
    "sql": "the same SQL without dbt, fresh",
}


def main() -> None:
    """Run the steps that have not finished, and print all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=4_000)
    parser.add_argument("--pages", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--steps", nargs="*", choices=STEPS, default=list(STEPS))
    parser.add_argument("--child", choices=CHILDREN, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        CHILDREN[options.child]()
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        make_input(folder, options.documents, options.pages)
        done = finished(folder)
        print(f"{options.documents:,} documents, {os.cpu_count()} cores")
        print("| step | s | CPU-s | ms/doc | MB peak | MB read | MB written |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        for step in STEPS:
            if step not in done and step in options.steps:
                done[step] = measured(folder, step)
                with (folder / "results.jsonl").open("a") as file:
                    file.write(json.dumps(done[step]) + "\n")
            if step in done:
                print(line(done[step], options.documents), flush=True)
        print_models(folder)


# Input ---------------------------------------------------------------------------------------


def make_input(folder: Path, n_documents: int, pages: Path | None) -> None:
    """The project and its rollouts, unless they are in the folder already."""
    if (folder / "rollouts.parquet").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "python").exists():
        prepare(folder, n_documents)
    counts = [(n_documents + number) // ROUNDS for number in range(ROUNDS)]
    header = (ROOT / "seeds" / "rounds.csv").read_text().splitlines()[0]
    lines = [
        f"{number},{count},{number},bench,-2,5,lexical,lexical,lexical,false"
        for number, count in enumerate(counts, 1)
    ]
    (folder / "seeds" / "rounds.csv").write_text("\n".join([header, *lines]) + "\n")
    controls = folder / "seeds" / "round_controls.csv"
    controls.write_text(controls.read_text().splitlines()[0] + "\n")
    query, path = (PAGES, pages) if pages else (SAMPLE_PAGES, ROOT / "sample" / "rollouts.jsonl")
    found = [row[0] for row in duckdb.execute(query, [str(path)]).fetchall()]
    partial = folder / "rollouts.partial"
    writer = None
    numbers = range(int(n_documents * SPARE) + 5)
    for start in numbers[::AT_ONCE]:
        rows = [
            row for number in numbers[start : start + AT_ONCE] for row in rollouts(number, found)
        ]
        table = pyarrow.Table.from_pylist(rows)
        writer = writer or pyarrow.parquet.ParquetWriter(partial, table.schema, compression="zstd")
        writer.write_table(table)
    assert writer is not None
    writer.close()
    partial.rename(folder / "rollouts.parquet")


def rollouts(number: int, pages: list[list[str]]) -> Iterator[dict]:
    """The rollouts of a prefix.

    All its sentences are those of three pages, none twice in a document: it is about something,
    shares words with its siblings, and does not repeat itself.
    """
    draw = random.Random(number)
    pool = list(dict.fromkeys(x for page in draw.sample(pages, 3) for x in page))
    draw.shuffle(pool)
    size = draw.randint(900, 1_700)
    prefix = text(draw, pool, size)
    rest = pool[prefix.count("\x00") + 1 :]
    continuation_size = draw.randint(2_100, 4_200)
    for index in range(draw.randint(4, 15)):
        own = text(draw, draw.sample(rest, len(rest)), continuation_size)
        yield {
            "doc_id": f"bench-{number:06d}",
            "doc_source": "bench",
            "prefix": prefix.replace("\x00", ""),
            "continuation_idx": index,
            "continuation": "\n" + own.replace("\x00", ""),
            "source_model": "bench",
        }


def text(draw: random.Random, sentences: list[str], size: int) -> str:
    """The first sentences, up to a length, in lines of about four; each but the last marked."""
    parts, length = [], 0
    for sentence in sentences:
        if length > size:
            break
        parts += [sentence, "\x00\n" if draw.random() < 0.25 else "\x00 "]
        length += len(sentence) + 1
    return "".join(parts[:-1])


# Measuring -----------------------------------------------------------------------------------


def finished(folder: Path) -> dict[str, dict]:
    """The figures of the steps that finished in the folder."""
    path = folder / "results.jsonl"
    rows = [json.loads(row) for row in path.read_text().splitlines()] if path.exists() else []
    return {row["step"]: row for row in rows}


def measured(folder: Path, step: str) -> dict:
    """Run a step and return its figures."""
    command = STEPS[step].split()
    if step in CHILDREN:
        arguments = [sys.executable, str(Path(__file__).resolve()), "--child", step]
    else:
        arguments = [str(COMMANDS / command[0]), *command[1:]]
    if step in ("fresh", "sql"):
        for path in folder.glob("warehouse.*"):
            path.unlink()
    started = time.monotonic()
    process = subprocess.Popen(
        arguments,
        cwd=folder,
        env=os.environ | {"LATENT_PROBES_HOME": ".", "PYTHONPATH": str(ROOT / "python")},
        stdout=subprocess.DEVNULL,
    )
    # Before it is waited for, the kernel still has its counts of bytes.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    seconds = time.monotonic() - started
    counts = dict(
        row.split(": ") for row in Path(f"/proc/{process.pid}/io").read_text().splitlines()
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{step} failed: {' '.join(arguments)}")
    return {
        "step": step,
        "seconds": round(seconds, 1),
        "cpu": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": used.ru_maxrss >> 10,
        "read_mb": int(counts["rchar"]) >> 20,
        "written_mb": int(counts["wchar"]) >> 20,
    }


def line(row: dict, n_documents: int) -> str:
    """A line of the table."""
    return (
        f"| {row['step']} | {row['seconds']:,.0f} | {row['cpu']:,.1f} "
        f"| {1000 * row['cpu'] / n_documents:,.1f} | {row['peak_mb']:,} | {row['read_mb']:,} "
        f"| {row['written_mb']:,} |"
    )


def print_models(folder: Path) -> None:
    """Print the slowest models of the SQL without dbt."""
    path = folder / "models.jsonl"
    if not path.exists():
        return
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    rows.sort(key=lambda row: -row["cpu"])
    print("\n| model | CPU-s | s | rows |\n|---|---:|---:|---:|")
    for row in rows[:MODELS_SHOWN]:
        print(f"| {row['model']} | {row['cpu']:.2f} | {row['s']:.2f} | {row['rows']:,} |")
    print(f"| all {len(rows)} | {sum(row['cpu'] for row in rows):.1f} | | |")


# Children ------------------------------------------------------------------------------------


def run_with_long_answers() -> None:
    """`latent-probes run --provider lexical`, with answers as long as a language model's."""
    from latent_probes import cli
    from latent_probes.providers import lexical

    write_probes = lexical.write_probes

    def long(prompt: str, custom_id: str) -> str:
        answer = json.loads(write_probes(prompt, custom_id))
        words = prompt[-GENERATOR_CHARACTERS:].replace("<", " ").replace(">", " ")
        missing = GENERATOR_CHARACTERS - len(json.dumps(answer, ensure_ascii=False))
        answer["document_rationale"] += " " + words[: max(missing, 0)]
        written = json.dumps(answer, ensure_ascii=False)
        if lexical.draw(custom_id, "damaged") % 1000 < DAMAGED_PER_MILLE:
            # Quotation marks that are not escaped.
            written = written.replace("document with the most", 'document with the "most"', 1)
        return written

    lexical.write_probes = long
    lexical.ANSWER_WORDS = ANSWER_WORDS
    sys.argv = ["latent-probes", "run", "--provider", "lexical"]
    cli.main()


def build_without_dbt() -> None:
    """Build everything as plain SQL in one DuckDB process; write CPU-seconds of each model."""
    from latent_probes import landing
    from latent_probes.common.home import Home
    from latent_probes.warehouse import plain_sql
    from latent_probes.warehouse.compilation import compiled_project

    here = Home(Path.cwd(), Path.cwd())
    project = compiled_project(here)
    settings = {"threads": 2, "memory_limit": os.environ.get("LATENT_PROBES_MEMORY", "3GB")}
    here.warehouse.unlink(missing_ok=True)
    rows: list[dict] = []
    with plain_sql.connected(here.warehouse, settings) as connection:
        landing.attach(connection, here.landing)
        for node in project.nodes.values():
            started, before = time.monotonic(), cpu()
            plain_sql.make(connection, project, node)
            row = {"model": node.name, "cpu": cpu() - before, "s": time.monotonic() - started}
            ((n_rows,),) = connection.execute(f'select count(*) from "{node.name}"').fetchall()
            rows.append(row | {"rows": n_rows})
    Path("models.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def cpu() -> float:
    """CPU-seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


CHILDREN = {"run": run_with_long_answers, "sql": build_without_dbt}

if __name__ == "__main__":
    main()
