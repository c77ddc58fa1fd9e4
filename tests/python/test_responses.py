"""The message of a response reads the same from its landed columns and from its raw body."""

from __future__ import annotations

import json

from latent_probes import landing
from latent_probes.common.home import Home
from latent_probes.warehouse import builds, compilation, plain_sql

USAGE = {"input_tokens": 7, "output_tokens": 2}
MESSAGES = [
    {"model": "m", "stop_reason": "end_turn", "content": [], "usage": USAGE},
    {"content": [{"type": "thinking", "text": "no"}, {"type": "text", "text": "0.5"}]},
    {"content": [{"type": "text", "text": "0."}, {"type": "text", "text": "5"}], "usage": None},
    {"usage": USAGE | {"cache_creation_input_tokens": 70, "cache_read_input_tokens": 500}},
    {
        "usage": USAGE
        | {
            "cache_creation_input_tokens": 70,
            "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 40},
        }
    },
    {
        "usage": USAGE
        | {
            "cache_creation_input_tokens": 40,
            "cache_creation": {"ephemeral_1h_input_tokens": 40},
        }
    },
    {"stop_reason": "refusal"},
    {"model": 7, "content": "text", "usage": {"input_tokens": "many"}},
    "no message",
    None,
]


def make_responses(home: Home) -> None:
    """Make the model ``responses`` anew."""
    project = compilation.compiled_project(home)
    with builds.writing(home) as (connection, _):
        plain_sql.make(connection, project, project.nodes["responses"])


def test_old_and_new_rows_give_the_same_responses(finished):
    home = Home(finished.folder, finished.home)
    landed = "select request_id, attempt, text, stop_reason, model, usage from responses"
    read = "select request_id, attempt, unnest(read_messages_api(body)) from responses"
    assert finished.query(f"{landed} order by all", "landing") == finished.query(
        f"{read} order by all", "landing"
    )
    bodies = [json.dumps({"result": {"message": message}}) for message in MESSAGES]
    finished.change(
        *(
            f"update landing.responses set body = $${body}$$ "
            f"where request_id = (select request_id from landing.responses order by all "
            f"limit 1 offset {number})"
            for number, body in enumerate(bodies)
        ),
        "update landing.responses set text = read.text, stop_reason = read.stop_reason, "
        "model = read.model, usage = read.usage from (select request_id, attempt, "
        "unnest(landing.read_messages_api(body)) from landing.responses) as read "
        "where responses.request_id = read.request_id and responses.attempt = read.attempt",
    )
    make_responses(home)
    new = finished.query("from responses order by all")
    finished.change(
        "update landing.responses set text = null, stop_reason = null, model = null, usage = null"
    )
    make_responses(home)
    assert finished.query("from responses order by all") == new
    assert finished.query("select sum(cache_write_one_hour_tokens) from responses") == [(80,)]


def test_usage_that_landed_before_its_numbers_were_checked_is_read_again(tmp_path):
    file = tmp_path / "landing.duckdb"
    usages = {
        "whole": USAGE,
        "fraction": USAGE | {"input_tokens": 6.6},
        "true": {"input_tokens": True},
    }
    with landing.opened(file) as connection:
        for name, usage in usages.items():
            body = json.dumps({"result": {"message": {"usage": usage}}})
            connection.execute(
                "insert into responses by name select $1 as request_id, 1 as attempt, 'succeeded' "
                "as outcome, $2 as body, now() as landed_at, 'x' as text, "
                "{'input_tokens': 7, 'output_tokens': 2, 'cache_write_five_minutes_tokens': null, "
                "'cache_write_one_hour_tokens': null, 'cache_read_tokens': null} as usage",
                [name, body],
            )
        connection.execute("update landing_version set version = 8")
    with landing.looked_at(file) as connection:
        assert connection.execute(
            "select request_id, usage.input_tokens, text from responses order by all"
        ).fetchall() == [("fraction", None, "x"), ("true", None, "x"), ("whole", 7, "x")]
