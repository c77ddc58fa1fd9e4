"""Agreement of the rollout filters with annotators: precision and recall, tuned and held out.

    python bench/filters.py DATA

DATA is a folder with the files named in bench/labels, which are not in this repository. Labels are
split by prefix into a part on which the filters were tuned and a held-out part. Planted cases are
sound continuations of both parts with a detached tail added at a known position.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[1]
LABELS = ROOT / "bench" / "labels"
COMMANDS = Path(sys.executable).parent
FILES = {  # our columns in each file
    "siblings": {"doc_id": "prefix_id", "doc_source": "dataset"},
    "siblings_smollm2": {"doc_id": "prefix_id", "doc_source": "url"},
    "fineweb_rollouts": {"doc_id": "doc_id", "doc_source": "doc_source"},
}
PAGE_CHARACTERS = 1500

# Tails to plant, other than starts of other pages and loops of the preceding text.
PLANTED = {
    "marker": ["<|endoftext|>{page}", "<|im_end|>\n<|im_start|>user\nThank you!", "</s> {page}"],
    "boilerplate": [
        "\nShare this:\nFacebook\nTwitter\nE-mail\nRelated articles\nLeave a comment\nYour "
        "e-mail address will not be published.",
        "\nCopyright 2019. All rights reserved.\nSubscribe to our newsletter\nPrivacy policy | "
        "Terms of use | Contact us",
        "\nFiled under: News, Local\nPosted by admin on 3 May 2012\n12 comments\nRead more "
        "stories from this section\nSign up for our daily e-mail",
    ],
    "questions": [
        "\nQuestion: What is the main idea of the passage?\nA. Trade\nB. Weather\nC. Education\n"
        "Answer: C\nQuestion: Which word is closest in meaning to the first?\nAnswer: B",
        "\nQ: What does the author think?\nA: The author thinks that it is good.\nQ: Why?\nA: "
        "Because of the reasons in the text.",
        "\nExercise 1. Fill in the blanks with the correct form of the verb.\n1. She ____ to "
        "school every day.\n2. They ____ a letter.\nExercise 2. Answer the following questions "
        "in full sentences.",
    ],
    "language": [
        " Am nächsten Morgen gingen die Kinder wieder in die Schule, und niemand sprach mehr "
        "davon. Der Lehrer schrieb die Aufgaben an die Tafel und setzte sich ans Fenster.",
        " Le lendemain matin, le marché ouvrit comme d'habitude et les marchands installèrent "
        "leurs étals. Personne ne se souvenait de l'orage de la veille.",
        " На следующее утро поезд пришёл вовремя, и пассажиры вышли на пустую платформу. Дождь "
        "шёл всю ночь и перестал только к рассвету.",
        " 第二天早上，孩子们照常去上学，谁也没有再提起这件事。"
        "老师在黑板上写下了作业，然后坐到窗边。",
    ],
}


def part_of(prefix_id: str) -> str:
    """The part that a prefix belongs to, with all its continuations."""
    digest = hashlib.md5(f"part {prefix_id}".encode()).hexdigest()
    return "tuned" if int(digest, 16) % 2 else "held out"


def read(path: Path) -> list[dict]:
    """The rows of a JSONL or CSV file."""
    with path.open(newline="") as file:
        return (
            [json.loads(line) for line in file]
            if path.suffix == ".jsonl"
            else [*csv.DictReader(file)]
        )


def planted(sound: list[dict], pages: list[dict]) -> list[dict]:
    """Sound continuations, cut after a sentence of their second half and given a detached tail."""
    from latent_probes.warehouse.functions import units

    made = []
    kinds = ["new_document", "repetition", *PLANTED]
    for number, row in enumerate(
        sorted(sound, key=lambda row: (row["doc_id"], row["continuation_idx"]))
    ):
        chance = random.Random(f"{row['doc_id']} {row['continuation_idx']}")
        text = row["continuation"]
        ends = [
            end for _, end in units.sentence_spans(text, "en")
            if len(text) / 3 < end < len(text) * 0.8 and text[end - 1] in '.!?"”'
        ]  # fmt: skip
        if not ends:
            continue
        kind = kinds[number % len(kinds)]
        end = chance.choice(ends)
        head, page = text[:end], chance.choice(pages)["text"][:600]
        if kind == "new_document":
            tail = f"\n{page}"
        elif kind == "repetition":
            last = [text[a:b] for a, b in units.sentence_spans(head, "en")][-2:]
            tail = "".join(f" {sentence}" for _ in range(6) for sentence in last)
        else:
            tail = chance.choice(PLANTED[kind]).format(page=page)
        made.append(row | {
            "source_model": "planted", "doc_id": f"{row['doc_id']} {number}",
            "continuation": head + tail, "tail_starts_at": len(head), "reason": kind,
            "part": part_of(row["doc_id"]), "verdict": "detached", "kind": "planted",
        })  # fmt: skip
    return made


def labelled(data: Path) -> list[dict]:
    """The labelled continuations, natural and planted, as rollouts with their labels."""
    texts = {
        (name, row[columns["doc_id"]], str(row["continuation_idx"])): row
        for name, columns in FILES.items()
        for row in read(data / f"{name}.jsonl")
    }
    natural = []
    for label in read(LABELS / "continuations.csv"):
        text = texts[label["file"], label["prefix_id"], label["continuation_idx"]]
        natural.append({
            "source_model": label["file"], "doc_id": label["prefix_id"],
            "doc_source": label["file"], "continuation_idx": int(label["continuation_idx"]),
            "prefix": text["prefix"], "continuation": text["continuation"],
            "verdict": label["verdict"], "reason": label["reason"],
            "tail_starts_at": int(label["tail_starts_at"] or 0) if label["verdict"] != "sound"
            else len(text["continuation"]),
            "part": part_of(label["prefix_id"]), "kind": "natural",
        })  # fmt: skip
    sound = [row for row in natural if row["verdict"] == "sound"]
    return natural + planted(sound, read(data / "fineweb_sample.jsonl")[:200])


def main() -> None:
    """Print the agreement with the labels, and what each rule removes from the files."""
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), Path(sys.argv[1]))
        report(Path(name))


def prepare(home: Path, data: Path) -> None:
    """Land everything in ``home``, and build the models of rollouts."""
    rows = labelled(data)
    labels = {(row["source_model"], row["doc_id"], row["continuation_idx"]) for row in rows}
    others = [
        {
            "source_model": file,
            "doc_id": row[columns["doc_id"]],
            "doc_source": row[columns["doc_source"]],
            "prefix": row["prefix"],
            "continuation_idx": row["continuation_idx"],
            "continuation": row["continuation"],
        }
        for file, columns in FILES.items()
        for row in read(data / f"{file}.jsonl")
    ]
    others = [
        row
        for row in others
        if (row["source_model"], row["doc_id"], row["continuation_idx"]) not in labels
    ]
    pages = [
        {
            "source_model": "pages",
            "doc_id": row["id"],
            "doc_source": "web",
            "prefix": row["text"][:PAGE_CHARACTERS],
            "continuation_idx": 0,
            "continuation": "",
        }
        for file in ("fineweb_sample", "fineweb_rejects")
        for row in read(data / f"{file}.jsonl")
    ]
    with (home / "rollouts.jsonl").open("w") as file:
        for row in rows + others + pages:
            file.write(json.dumps({column: row[column] for column in others[0]}) + "\n")
    (home / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(home, "latent-probes", "land", str(home / "rollouts.jsonl"))
    run(home, "dbt", "seed", "--quiet")
    run(home, "dbt", "run", "--quiet", "--select", "+rollout_quality")


def run(home: Path, *command: str) -> None:
    """Run a command of the project with ``home`` as its home directory."""
    environment = os.environ | {"LATENT_PROBES_HOME": str(home)}
    if command[0] == "dbt":
        command += ("--target-path", str(home / "target"), "--log-path", str(home / "logs"))
    subprocess.run([COMMANDS / command[0], *command[1:]], cwd=ROOT, env=environment, check=True)


def report(home: Path) -> None:
    """Print the tables."""
    connection = duckdb.connect(str(home / "warehouse.duckdb"), read_only=True)
    connection.execute(f"attach '{home / 'landing.duckdb'}' as landing (read_only)")
    connection.execute(f"create temp table labels as from read_json('{home / 'labels.jsonl'}')")
    connection.execute(f"create temp table page_labels as from read_csv('{LABELS / 'pages.csv'}')")
    for title, query in REPORTS.items():
        print(f"\n## {title}\n")
        cursor = connection.execute(query)
        names = [column[0] for column in cursor.description]
        print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
        for row in cursor.fetchall():
            print(f"| {' | '.join('' if value is None else str(value) for value in row)} |")


# A continuation is flagged if part of it is cut or it is excluded for its content.
JUDGED = """
    judged as (
        select
            labels.*, fitness.kept_length, fitness.cut_reason, fitness.exclusion_reason,
            labels.verdict != 'sound' as is_bad,
            fitness.cut_reason is not null
            or fitness.exclusion_reason in (
                'collapsed', 'copies_prefix', 'other_language', 'too_little_prose',
                'empty_continuation'
            ) as is_flagged,
            length(labels.continuation) as n_characters,
            -- An unfinished end that every document loses is no tail.
            case
                when not is_flagged then n_characters
                when exclusion_reason is not null then 0
                else kept_length
            end as n_kept
        from labels
        join rollout_eligibility as fitness using (source_model, doc_id, continuation_idx)
    )
"""
REPORTS = {
    "Continuations": f"""
        with {JUDGED}
        select
            kind, part, count(*) as continuations, count(*) filter (is_bad) as bad,
            count(*) filter (is_flagged) as flagged,
            round(count(*) filter (is_bad and is_flagged) / count(*) filter (is_flagged), 2)
                as precision,
            round(count(*) filter (is_bad and is_flagged) / count(*) filter (is_bad), 2) as recall,
            round(
                sum(greatest(n_characters - greatest(n_kept, tail_starts_at), 0))
                / sum(n_characters - n_kept), 2
            ) as "precision by characters",
            round(
                sum(greatest(n_characters - greatest(n_kept, tail_starts_at), 0))
                / sum(n_characters - tail_starts_at), 2
            ) as "recall by characters",
        from judged group by all order by all
    """,
    "Recall by the reader's reason": f"""
        with {JUDGED}
        select kind, reason, part, count(*) as bad, count(*) filter (is_flagged) as flagged,
            count(*) filter (cut_reason = reason) as "for that reason"
        from judged where is_bad group by all order by all
    """,
    "Precision by rule": f"""
        with {JUDGED}
        select
            coalesce(cut_reason, exclusion_reason) as rule, part,
            count(*) filter (kind = 'natural') as natural,
            count(*) filter (kind = 'natural' and is_bad) as "of them bad",
            count(*) filter (kind = 'planted') as planted,
            count(*) filter (kind = 'planted' and abs(n_kept - tail_starts_at) <= 100)
                as "of them within 100 characters"
        from judged where is_flagged group by all order by all
    """,
    "Pages": """
        select
            labels.verdict,
            count(*) as pages,
            count(*) filter (prefixes.exclusion_reason != 'too_few_siblings') as "passed over",
            string_agg(distinct nullif(prefixes.exclusion_reason, 'too_few_siblings'), ', ')
                as reasons
        from page_labels as labels
        join prefixes on prefixes.doc_id = labels.id and prefixes.source_model = 'pages'
        group by all order by all
    """,
    "What each rule takes": """
        select
            source_model as file, outcome, reason, n_rollouts as rollouts,
            round(100 * share, 1) || ' %' as share, n_prefixes as prefixes,
            n_characters as characters, n_characters_kept as kept
        from rollout_quality
        where source_model not in ('pages', 'planted')
        order by all
    """,
}

if __name__ == "__main__":
    main()
