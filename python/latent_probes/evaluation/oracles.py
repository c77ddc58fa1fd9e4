"""Land the answers of activation oracles.

The judge and the text-only answerer are asked through the queue. The comparison is in
models/evaluation/oracles.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow

from latent_probes import landing, warehouse
from latent_probes.common import files, sql, terminal
from latent_probes.common.home import Home
from latent_probes.evaluation.answers_file import OracleError, probes_of, read
from latent_probes.providers import lexical
from latent_probes.queue import rendering

__all__ = [
    "OracleError",
    "Published",
    "draw",
    "land_answers",
    "land_baseline_answers",
    "probes_of",
    "published",
]


@dataclass(frozen=True)
class Published:
    """The data set that methods answer: its build and the numbers of its rounds."""

    build: str
    rounds: tuple[int, ...]


def land_answers(
    home: Home, oracle: str, condition: str, path: Path, build: str | None, delimiter: str = ","
) -> tuple[int, int]:
    """Land the answers of a file; return the number of new answers and of all answers.

    ``build`` is `build` in the manifest.json of the data set that the method answered. Raises
    OracleError or FileError, and lands nothing, if the file or a row is invalid or the answers are
    for another build.
    """
    oracle = oracle.strip()
    if not oracle:
        raise OracleError("--name is empty: give the name of the method")
    known = published(home)
    if build != known.build:
        raise OracleError(
            f"the answers are for build {build or '(none given)'}, but the data set is "
            f"{known.build}: set --build to `build` in the manifest.json of the data set that the "
            "method answered"
        )
    with warehouse.opened(home) as connection:
        listed = connection.execute("select condition from oracle_conditions").fetchall()
        conditions = [name for (name,) in listed]
        if condition not in conditions:
            raise OracleError(f"--condition {condition!r} is not one of {', '.join(conditions)}")
        answers = read(connection, path, delimiter, known.rounds)
    return add(home, oracle, condition, answers, build, files.hash_of(path))


def published(home: Home) -> Published:
    """The exported or adopted data set. Raises OracleError if there is none."""
    text = landing.adopted_manifest(home.landing)
    if text is None:
        manifest = home.export / "manifest.json"
        if not manifest.exists():
            raise OracleError("no data set has been exported yet: run `latent-probes export`")
        text = manifest.read_text()
    described = json.loads(text)
    return Published(described["build"], tuple(row["round_idx"] for row in described["rounds"]))


def add(
    home: Home, oracle: str, condition: str, answers: pyarrow.Table, build: str, file_hash: str
) -> tuple[int, int]:
    """Land answers under a name; return the number of new answers and of all answers."""
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
        refuse_confusing_name(connection, oracle, file_hash)
        if landing.oracle_runs(connection, oracle):
            raise OracleError(
                f"{oracle} was asked by `ask-oracle`, and nothing has landed: one name is one "
                "method, so use another --name for the answers of a file"
            )
        if n_other := landing.differing_answers(connection, named):
            raise OracleError(
                f"{oracle} has already landed different answers to {n_other:,} of these probes "
                f"under {condition}: landed answers never change, so use another --name"
            )
        return landing.add_oracle_answers(connection, named), named.num_rows


def refuse_confusing_name(
    connection: duckdb.DuckDBPyConnection, oracle: str, file_hash: str
) -> None:
    """Raise OracleError for a name that would mix these answers with another method's.

    That is the name of a baseline that answers by itself, and one that differs from a method's name
    in case or white space only.
    """
    is_reserved, similar = landing.one(
        connection,
        f"""
        select
            {sql.macro("is_reserved_method", "$oracle", "$file_hash")},
            (
                select if(bool_or(oracle = $oracle), null, min(oracle))
                from oracle_answers
                where {sql.macro("folded_name", "oracle")} = {sql.macro("folded_name", "$oracle")}
            )
        """,
        {"oracle": oracle, "file_hash": file_hash},
    )
    if is_reserved:
        raise OracleError(
            f"--name {oracle!r} is the name of a baseline that answers by itself, and nothing has "
            "landed: choose another name"
        )
    if similar is not None:
        raise OracleError(
            f"--name {oracle!r} differs from {similar!r}, which has landed, in case or white space "
            "only, and nothing has landed: write the same name, or choose another one"
        )


def land_baseline_answers(home: Home, oracle: str, condition: str) -> tuple[int, int]:
    """Land the answers of a text-only baseline; returns the same as ``land_answers``.

    The offline baseline answers every published written probe. Answers of ``ask-oracle``, and a
    local model's answers to complement plus question (``score-local``), have landed already, as
    those of a file have when the command is repeated without it. Raises OracleError for any other
    method, whose answers must come from a file.
    """
    oracle = oracle.strip()
    known = published(home)
    with landing.opened(home.landing) as connection:
        n_landed = landing.answered_by(connection, oracle, condition).num_rows
        if any(name == condition for name, *_ in landing.oracle_runs(connection, oracle)):
            return 0, n_landed
    if oracle == lexical.MODEL and landing.adopted(home.landing):
        raise OracleError(
            f"{lexical.MODEL} answers only in the home of the maker: what its answerer was asked "
            "is not adopted"
        )
    source: str | None
    with warehouse.opened(home) as connection:
        if oracle == lexical.MODEL:
            answers, source = said_by_lexical(connection, known), lexical.MODEL
        else:
            answers, source = said_by_reader(connection, oracle, known)
    if condition != "no_state" or source is None or not answers.num_rows:
        if n_landed:
            return 0, n_landed
        raise OracleError(
            f"--answers is missing: no file is needed only for {lexical.MODEL} and models run with "
            "`score-local`, under the condition no_state, and for a method and condition that "
            "`ask-oracle` has asked"
        )
    return add(home, oracle, condition, answers, known.build, source)


def said_by_lexical(connection: duckdb.DuckDBPyConnection, known: Published) -> pyarrow.Table:
    """The offline baseline's answers to published written probes, as ``read`` returns them."""
    found = connection.execute(
        f"""
        select requests.probe_id, inputs.* exclude (request_id)
        from answerer_requests as requests
        join answerer_inputs as inputs using (request_id)
        semi join ({probes_of(known.rounds)}) as published using (probe_id)
        where requests.arm = 'complement' and requests.answer_number = 1
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
    connection: duckdb.DuckDBPyConnection, model: str, known: Published
) -> tuple[pyarrow.Table, str | None]:
    """A local model's answers, in the form of ``answers_file.read``, and its hash.

    If the model was run at several precisions, the one with the most answers is used.
    """
    found = connection.sql(
        f"""
        with answered as (
            select *
            from token_scores
            semi join ({probes_of(known.rounds)}) as published using (probe_id)
            where model = $model and form = 'question' and answer is not null
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
    """Plot the leaderboard to the home directory."""
    from latent_probes.pictures import leaderboard

    path = home.folder / leaderboard.NAME
    with warehouse.opened(home) as connection:
        if leaderboard.draw(connection, path):
            terminal.say(f"drew {path}")
