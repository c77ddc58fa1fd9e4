"""Scores of made-up answers to the lenses of a home, by two rules: bench/lenses.py [HOME]

HOME is a home directory with a finished round (default: demo). Before, the first line of an answer
was compared with the first line of the lens; now model `lens_answers` compares all of both, and
counts the tokens in common from the split outward.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from latent_probes import warehouse
from latent_probes.common import sql
from latent_probes.common.home import Home
from latent_probes.publication.queries import without_database

ROOT = Path(__file__).parents[1]
TABLES = ("probes", "documents", "document_tokens")
FIRST_LINE = r"""
trim(regexp_replace(lower(nfc_normalize(regexp_extract({text}, '^\s*([^\n]*)', 1))),
    '[^\p{{L}}\p{{M}}\p{{N}}]+', ' ', 'g'))
"""
LENSES = r"""
create table lenses as
select
    probe_id, target, n_tokens, text[atom_start + 1:atom_end] as lens,
    string_split_regex(trim(lens, e' \n'), '\s+') as words,
from probes
join documents using (document_id)
where scope = 'lens'
"""
# Each answer with the lens as a text and as a list of words.
ANSWERS = {
    "In": "'In'",
    "the first line": r"regexp_extract(trim(lens, e' \n'), '^[^\n]*')",
    "the lens": "lens",
    "the same in capitals, in one line": "upper(array_to_string(words, ' '))",
    "the half at the split": """if(target = 'suffix',
        array_to_string(words[:len(words) // 2], ' '),
        array_to_string(words[-(len(words) // 2):], ' '))""",
    "the other half": """if(target = 'suffix',
        array_to_string(words[-(len(words) // 2):], ' '),
        array_to_string(words[:len(words) // 2], ' '))""",
    "the lens and more beyond it": "if(target = 'suffix', lens || ' and so on', 'So on, ' || lens)",
}


def main() -> None:
    """Print one line per kind of answer."""
    home = Home(ROOT, Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
    ((name, text),) = warehouse.compiled(home, ("lens_answers",)).items()
    with duckdb.connect() as connection:
        connection.execute(f"attach {sql.literal(home.warehouse)} as built (read_only)")
        for table in TABLES:
            connection.execute(f"create view {table} as from built.{table}")
        connection.execute(LENSES)
        connection.execute(
            "create table answers as "
            + " union all ".join(
                f"select probe_id, lens, '{kind}' as kind, {answer} as answer from lenses"
                for kind, answer in ANSWERS.items()
            )
        )
        connection.execute(
            "create view stg_local_scores as select probe_id, answer from answers; "
            "create table stg_oracle_answers (probe_id varchar, answer varchar)"
        )
        connection.execute(f"create table {name} as {without_database(text)}")
        ((n_lenses, n_lines, n_tokens),) = connection.execute(
            r"select count(*), count(*) filter (where regexp_matches(trim(lens, e' \n'), '\n')), "
            "avg(n_tokens) from lenses"
        ).fetchall()
        print(
            f"{n_lenses} lenses of {n_tokens:.1f} tokens on average, {n_lines} of several lines\n"
        )
        print(f"{'answer':36} {'exact before':>12} {'exact':>8} {'tokens':>8} {'share':>8}")
        rows = connection.execute(
            f"""
            select
                kind,
                avg(({FIRST_LINE.format(text="answer")} = {FIRST_LINE.format(text="lens")})::int),
                avg(is_exact_match::int), avg(n_common_tokens), avg(common_share)
            from answers
            join lens_answers using (probe_id, answer)
            group by kind
            """
        ).fetchall()
        for kind, before, exact, n_common, share in sorted(
            rows, key=lambda row: [*ANSWERS].index(row[0])
        ):
            print(f"{kind:36} {before:>12.1%} {exact:>8.1%} {n_common:>8.1f} {share:>8.1%}")


if __name__ == "__main__":
    main()
