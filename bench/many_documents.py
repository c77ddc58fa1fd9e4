"""Make an export of many documents from a small one, for measuring the explorer's page.

    python bench/many_documents.py FOLDER TARGET [DOCUMENTS]

Repeats the rows of the export in FOLDER, in rounds of at most 12,500 documents, until there are
DOCUMENTS (default: 36,997), and writes them to TARGET as an export does. In each copy other letters
stand for the letters of the texts, so that all documents differ. Texts of `data/` that the page
does not read are left out. Takes two CPU-minutes.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import duckdb

from latent_probes.publication import parquet, tables

ROUND = 12_500
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SEEDS = Path(__file__).parents[1] / "seeds"
# How the texts of a row are changed.
TEXTS = {
    "train": "replace (other(verbalizer_prompt, letters) as verbalizer_prompt, "
    "other(target_response, letters) as target_response, other(atom_text, letters) as atom_text, "
    "'' as doc, '' as context, null::varchar[] as bb_answer_rollout_answers)",
    "compact": "replace (other(doc, letters) as doc, list_transform(probes, lambda probe: "
    "struct_update(probe, verbalizer_prompt := other(probe.verbalizer_prompt, letters), "
    "target_response := other(probe.target_response, letters), answers := "
    "list_transform(probe.answers, lambda answer: other(answer, letters)))) as probes)",
}
WANTED = ("train", "compact", "overview", "units", "rejections", "probe_findings")


def main() -> None:
    """Write the export and print its size."""
    folder, target = Path(sys.argv[1]), Path(sys.argv[2])
    n_documents = int(sys.argv[3]) if len(sys.argv) > 3 else 36_997
    with duckdb.connect() as connection:
        prepare(connection, folder, n_documents)
        rounds = [number for (number,) in connection.execute("from round_numbers").fetchall()]
        for table in tables.published(connection):
            if table.model in WANTED:
                for number in rounds:
                    path = target / table.folder / f"train-round-{number:04d}.parquet"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    parquet.write(connection, table, number, path)
        for name in ("meanings", "arm_lift", "spend", "oracle_leaderboard"):
            shutil.copytree(folder / name, target / name, dirs_exist_ok=True)
        (target / "rounds").mkdir(exist_ok=True)
        connection.execute(
            f"""
            copy (
                select published.* replace (
                    round_numbers.number as round_number,
                    (
                        select count(*) from round_documents where round_number = number
                    ) as n_documents,
                    (select count(*) from overview where round_number = number) as n_probes
                )
                from '{folder}/rounds/*.parquet' as published, round_numbers
                order by round_numbers.number
            ) to '{target}/rounds/train-all.parquet'
            """
        )
    files = [
        {"path": str(path.relative_to(target)), "bytes": path.stat().st_size}
        for path in sorted(target.rglob("*.parquet"))
    ]
    (target / "manifest.json").write_text(json.dumps({"build": "0" * 64, "files": files}))
    print(f"{n_documents:,} documents, {sum(file['bytes'] for file in files) / 1e6:.0f} MB")


def prepare(connection: duckdb.DuckDBPyConnection, folder: Path, n_documents: int) -> None:
    """Let the connection have the published tables as a warehouse has them."""
    connection.execute(f"create table published_tables as from '{SEEDS / 'published_tables.csv'}'")
    connection.execute(
        f"""
        create macro other(text, letters) as translate(text, '{LETTERS}{LETTERS.upper()}', letters);
        create table originals as
        select doc_id, row_number() over (order by doc_id) - 1 as original
        from '{folder}/compact/*.parquet';
        create table copies as
        with

        numbered as (

            select
                number,
                number // (select count(*) from originals) as copy,
                number % (select count(*) from originals) as original,
            from range({n_documents}) as numbers (number)

        )

        select
            number // {ROUND} + 1 as round_number,
            originals.doc_id as original_id,
            originals.doc_id || '-' || lpad(copy::varchar, 5, '0') as doc_id,
            shuffled.letters || upper(shuffled.letters) as letters,
        from numbered
        join originals using (original)
        join (
            select
                copy,
                string_agg(letter, '' order by md5(concat(copy, letter))) as letters,
            from
                (select distinct copy from numbered),
                unnest(string_split('{LETTERS}', '')) as letters (letter)
            group by copy
        ) as shuffled using (copy);
        create table round_documents as select round_number, doc_id from copies;
        create table round_numbers as
        select distinct round_number as number from copies order by all;
        """
    )
    for model, of in (
        ("published_probes", "data"),
        *((model, model) for model in WANTED if model != "train"),
    ):
        source = f"(select * exclude (round_number) from '{folder}/{of}/*.parquet')"
        if of == "data":
            source = f"'{folder}/data/*.parquet'"
        changed = TEXTS.get("train" if of == "data" else model, "")
        connection.execute(
            f"""
            create view {model} as
            select round_number, * exclude (round_number, letters)
            from (
                select * {changed}
                from (
                    select
                        copies.round_number, copies.letters,
                        original.* replace (copies.doc_id as doc_id)
                    from {source} as original
                    join copies on original.doc_id = copies.original_id
                )
            )
            """
        )
    connection.execute("create view train as select * exclude (round_number) from published_probes")


if __name__ == "__main__":
    main()
