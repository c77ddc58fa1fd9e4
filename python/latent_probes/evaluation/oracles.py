"""Methods that read a hidden state: their answers are landed, judged as any other, and compared.

The judge and readers of the text are asked through the queue; what is compared, and how, is said in
models/oracles.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import duckdb
import pyarrow

from latent_probes import landing, warehouse
from latent_probes.common import files, terminal
from latent_probes.common.home import Home
from latent_probes.evaluation.answers_file import OracleError, read
from latent_probes.providers import lexical
from latent_probes.queue import rendering

__all__ = ["OracleError", "draw", "land_answers", "land_baseline_answers", "published_build"]


def land_answers(
    home: Home, oracle: str, condition: str, path: Path, build: str | None
) -> tuple[int, int]:
    """Land the answers of a file; return how many were new, and how many there are.

    ``build`` is what the manifest of the set called its state when the method was asked. Raises
    OracleError, and lands nothing, if a row is at fault or the answers are of another set.
    """
    if not oracle.strip():
        raise OracleError("--name is empty: say whose answers they are")
    published = published_build(home)
    if build != published:
        raise OracleError(
            f"the answers are of the build {build or 'of no name'}, and the set is {published}: "
            "say --build with the `build` of the manifest.json that the method was asked with"
        )
    with warehouse.opened(home) as connection:
        known = connection.execute("select condition from oracle_conditions").fetchall()
        conditions = [name for (name,) in known]
        if condition not in conditions:
            raise OracleError(f"--condition {condition!r} is none of {', '.join(conditions)}")
        answers = read(connection, path)
    return add(home, oracle, condition, answers, build, files.hash_of(path))


def published_build(home: Home) -> str:
    """The state of the exported set. Raises OracleError if there is none."""
    manifest = home.export / "manifest.json"
    if not manifest.exists():
        raise OracleError("nothing is exported yet: `latent-probes export` makes the set")
    return json.loads(manifest.read_text())["build"]


def add(
    home: Home, oracle: str, condition: str, answers: pyarrow.Table, build: str, file_hash: str
) -> tuple[int, int]:
    """Land answers under a name; return how many were new, and how many there are."""
    with duckdb.connect() as connection:
        connection.register("answers", answers)
        named = connection.sql(
            """
            select
                $oracle as oracle,
                $condition as condition,
                *,
                md5(answer) as answer_hash,
                $build as build,
                $file_hash as file_hash,
            from answers
            """,
            params={
                "oracle": oracle,
                "condition": condition,
                "build": build,
                "file_hash": file_hash,
            },
        ).to_arrow_table()
    with landing.opened(home.landing) as connection:
        if n_other := landing.differing_answers(connection, named):
            raise OracleError(
                f"{oracle} has landed other answers to {n_other:,} of these under {condition}: "
                "what has landed is not changed, so give these another name"
            )
        return landing.add_oracle_answers(connection, named), named.num_rows


def land_baseline_answers(home: Home, oracle: str, condition: str) -> tuple[int, int]:
    """Land what a baseline says from the text alone; return as ``land``.

    The offline baseline answers every written probe. What a language model that ``score-local`` ran
    answered to complement and question is there already. Raises OracleError for any other method:
    its answers are in a file.
    """
    build = published_build(home)
    with warehouse.opened(home) as connection:
        if oracle == lexical.MODEL:
            answers, source = said_by_lexical(connection), lexical.MODEL
        else:
            answers, source = said_by_reader(connection, oracle)
    if condition != "no_state" or not answers.num_rows:
        raise OracleError(
            f"--answers is missing: only {lexical.MODEL}, and a model that `score-local` ran, "
            "answer by themselves, under no_state"
        )
    return add(home, oracle, condition, answers, build, source)


def said_by_lexical(connection: duckdb.DuckDBPyConnection) -> pyarrow.Table:
    """What the offline baseline says of every written probe, as ``answers_file.read``."""
    found = connection.execute(
        """
        select requests.probe_id, inputs.* exclude (request_id)
        from answerer_requests as requests
        join answerer_inputs as inputs using (request_id)
        join round_settings using (round_number)
        where
            requests.arm = 'complement' and requests.answer_number = 1
            and not round_settings.is_calibration
        order by requests.probe_id
        """
    )
    names = [column[0] for column in found.description]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    answers = [
        lexical.answer_question(rendering.render("answerer", row), f"oracle {row['probe_id']}")
        for row in rows
    ]
    return pyarrow.table(
        {
            "probe_id": pyarrow.array([row["probe_id"] for row in rows], pyarrow.string()),
            "answer_number": pyarrow.array([1] * len(rows), pyarrow.int64()),
            "answer": pyarrow.array(answers, pyarrow.string()),
            "logp_atom": pyarrow.nulls(len(rows), pyarrow.float64()),
            "logp_ipa": pyarrow.nulls(len(rows), pyarrow.float64()),
        }
    )


def said_by_reader(
    connection: duckdb.DuckDBPyConnection, model: str
) -> tuple[pyarrow.Table, str | None]:
    """What a reader answered, as ``answers_file.read``, and its hash.

    Of a model that was run in several precisions, the one that read most probes.
    """
    found = connection.sql(
        """
        with answered as (
            select *
            from token_scores
            join round_settings using (round_number)
            where
                token_scores.model = $model and form = 'question' and answer is not null
                and not round_settings.is_calibration
        ),
        chosen as (
            select reader_hash
            from answered
            group by reader_hash, dtype
            order by count(*) desc, dtype
            limit 1
        )
        select
            reader_hash,
            probe_id,
            1::bigint as answer_number,
            answer,
            atom_logprob as logp_atom,
            wrong_answer_logprob as logp_ipa,
        from answered
        semi join chosen using (reader_hash)
        order by probe_id
        """,
        params={"model": model},
    ).to_arrow_table()
    reader_hash = found["reader_hash"][0].as_py() if found.num_rows else None
    return found.drop_columns(["reader_hash"]), reader_hash


def draw(home: Home) -> None:
    """Draw the leaderboard into the home."""
    from latent_probes.pictures import leaderboard

    path = home.folder / leaderboard.NAME
    with warehouse.opened(home) as connection:
        if leaderboard.draw(connection, path):
            terminal.say(f"drew {os.path.relpath(path)}")
