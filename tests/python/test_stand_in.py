"""The stand-in behaves as the API does: what the real client of Anthropic says when it talks to it.

The client is never changed and never retries, except where retrying is what is tested.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import anthropic
import httpx2
import pytest
from anthropic.types.messages import MessageBatch
from stand_in import StandIn, answers, faults
from test_lexical import PROMPTS

from latent_probes.providers import lexical

MODEL = "claude-haiku-4-5-20251001"
NEW_MODEL = "claude-haiku-5-5"
# One pool for all clients, as making one reads all certificates.
HTTP = anthropic.DefaultHttpxClient()
DIGEST = "0123456789abcdef0123456789abcdef"
SCORE_SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "number"}},
    "required": ["score"],
    "additionalProperties": False,
}


@pytest.fixture
def server():
    with StandIn() as server:
        yield server


@pytest.fixture
def client(server):
    return client_of(server)


def client_of(server, **options):
    """The real client, on the stand-in."""
    usual = {"api_key": server.key, "max_retries": 0, "timeout": 10}
    return anthropic.Anthropic(base_url=server.address, http_client=HTTP, **(usual | options))


def params_of(prompt, **changes):
    params = {
        "model": MODEL,
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": prompt}],
    }
    return params | changes


def custom_id_of(stage, number=0, attempt=1):
    return f"{stage}-{number:032x}-{attempt}"


def request_of(custom_id="generator-1", prompt="Hello", **changes):
    return {"custom_id": custom_id, "params": params_of(prompt, **changes)}


def requests_of(stage, count=1, attempt=1):
    return [
        request_of(custom_id_of(stage, number, attempt), PROMPTS[stage]) for number in range(count)
    ]


def create(client, requests=None):
    return client.messages.batches.create(requests=requests or [request_of()])


def results_of(client, batch):
    return {line.custom_id: line.result for line in client.messages.batches.results(batch.id)}


def raw_results(server, batch):
    """The bytes of the results, as no client has parsed them."""
    return httpx2.get(
        f"{server.address}/v1/messages/batches/{batch.id}/results",
        headers={"x-api-key": server.key, "anthropic-version": "2023-06-01"},
    )


def only_result(client, requests):
    """The result of the first request of a new batch."""
    return results_of(client, create(client, requests))[requests[0]["custom_id"]]


def text_of(message):
    return message.content[-1].text


# Batches ---------------------------------------------------------------------------------------


def test_a_batch_has_exactly_the_fields_of_the_api(client):
    batch = create(client)
    assert set(batch.model_dump()) == set(MessageBatch.model_fields)
    assert batch.model_extra == {}
    assert (batch.type, batch.processing_status) == ("message_batch", "in_progress")
    assert (batch.expires_at - batch.created_at).total_seconds() == 24 * 3600
    assert abs((datetime.now(UTC) - batch.created_at).total_seconds()) < 10
    assert batch.ended_at is batch.results_url is batch.cancel_initiated_at is None


def test_every_request_is_processing_until_the_batch_ends(server, client):
    server.service.seconds = 3600
    batch = create(client, requests_of("judge", 3))
    running = client.messages.batches.retrieve(batch.id)
    assert running.processing_status == "in_progress"
    assert running.request_counts.model_dump() == {
        "processing": 3,
        "succeeded": 0,
        "errored": 0,
        "canceled": 0,
        "expired": 0,
    }
    with pytest.raises(anthropic.AnthropicError, match="No `results_url`"):
        client.messages.batches.results(batch.id)
    server.end_batches()
    ended = client.messages.batches.retrieve(batch.id)
    assert ended.processing_status == "ended"
    assert (ended.request_counts.processing, ended.request_counts.succeeded) == (0, 3)
    assert ended.results_url == f"{server.address}/v1/messages/batches/{batch.id}/results"
    assert ended.ended_at > ended.created_at


def test_a_batch_ends_after_the_seconds_that_were_set():
    with StandIn(seconds=60) as server:
        client = client_of(server)
        batch = create(client)
        assert client.messages.batches.retrieve(batch.id).processing_status == "in_progress"
        server.pass_time(60)
        assert client.messages.batches.retrieve(batch.id).processing_status == "ended"


def test_the_list_is_newest_first_and_the_client_pages_through_it(client):
    made = [create(client).id for _ in range(25)]
    page = client.messages.batches.list()
    assert [batch.id for batch in page.data] == made[:4:-1]
    assert (page.has_more, page.first_id, page.last_id) == (True, made[-1], made[5])
    assert [batch.id for batch in client.messages.batches.list(limit=7)] == made[::-1]


def test_a_page_can_start_after_or_before_a_batch(client):
    made = [create(client).id for _ in range(6)]
    after = client.messages.batches.list(after_id=made[4], limit=2)
    assert ([batch.id for batch in after.data], after.has_more) == ([made[3], made[2]], True)
    before = client.messages.batches.list(before_id=made[1], limit=2)
    assert ([batch.id for batch in before.data], before.has_more) == ([made[3], made[2]], True)
    all_before = client.messages.batches.list(before_id=made[0], limit=2)
    assert {batch.id for batch in all_before} == set(made[1:])
    assert client.messages.batches.list(after_id=made[0]).data == []


@pytest.mark.parametrize("limit", [0, 1001, "many"])
def test_a_limit_out_of_range_is_refused(client, limit):
    with pytest.raises(anthropic.BadRequestError, match="limit"):
        client.messages.batches.list(limit=limit)


def test_a_canceled_batch_ends_with_the_rest_of_its_requests_canceled(server, client):
    server.service.seconds = 3600
    server.service.seconds_to_cancel = 60
    server.service.done_at_cancel = 0.5
    batch = create(client, requests_of("judge", 4))
    canceling = client.messages.batches.cancel(batch.id)
    assert canceling.processing_status == "canceling"
    assert canceling.cancel_initiated_at is not None
    assert canceling.request_counts.processing == 4
    server.pass_time(60)
    ended = client.messages.batches.retrieve(batch.id)
    assert ended.processing_status == "ended"
    assert (ended.request_counts.succeeded, ended.request_counts.canceled) == (2, 2)
    types = Counter(result.type for result in results_of(client, batch).values())
    assert types == {"succeeded": 2, "canceled": 2}
    assert server.ledger.cancels == [batch.id]
    assert server.ledger.billed.total() == 2


def test_an_ended_batch_cannot_be_canceled(client):
    batch = create(client)
    with pytest.raises(anthropic.BadRequestError, match="has ended"):
        client.messages.batches.cancel(batch.id)


def test_a_batch_is_deleted_only_when_it_has_ended(server, client):
    server.service.seconds = 3600
    batch = create(client)
    with pytest.raises(anthropic.BadRequestError, match="cancel it first"):
        client.messages.batches.delete(batch.id)
    server.end_batches()
    assert client.messages.batches.delete(batch.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(batch.id)
    assert list(server.ledger.batches) == [batch.id]


# Answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", PROMPTS)
def test_a_stage_is_answered_by_the_baseline(client, stage):
    custom_id = custom_id_of(stage)
    result = only_result(client, requests_of(stage))
    write = answers.STAGES[stage]
    assert text_of(result.message) == write(PROMPTS[stage], custom_id.removesuffix("-1"))
    assert result.message.stop_reason == "end_turn"
    assert result.message.model == MODEL
    assert result.message.usage.service_tier == "batch"
    assert result.message.usage.input_tokens == len(PROMPTS[stage]) // 4
    assert result.message.usage.output_tokens == max(1, len(text_of(result.message)) // 4)


def test_another_attempt_gets_the_same_answer(client):
    first, second = (
        only_result(client, requests_of("answerer", attempt=attempt)) for attempt in (1, 2)
    )
    assert text_of(first.message) == text_of(second.message)


def test_two_runs_give_the_same_answers_in_the_same_order():
    def run(seed):
        with StandIn(seed=seed) as server:
            client = client_of(server)
            batch = create(client, requests_of("answerer", 8))
            return [
                (line.custom_id, text_of(line.result.message))
                for line in client.messages.batches.results(batch.id)
            ]

    assert run(seed=1) == run(seed=1)
    assert run(seed=1) != run(seed=2)
    assert sorted(run(seed=1)) == sorted(run(seed=2))


def test_results_do_not_come_in_the_order_of_the_requests(client):
    requests = requests_of("judge", 20)
    names = list(results_of(client, create(client, requests)))
    assert names != [request["custom_id"] for request in requests]
    assert sorted(names) == [request["custom_id"] for request in requests]


def test_a_function_can_answer():
    def answer(model, prompt, key):
        return f"{model}|{prompt}|{key}"

    with StandIn(answer=answer) as server:
        client = client_of(server)
        result = only_result(client, [request_of(f"judge-{DIGEST}-2", "Hello")])
        assert text_of(result.message) == f"{MODEL}|Hello|judge-{DIGEST}"


def test_a_single_message_is_answered_by_its_prompt_alone(client):
    first, second = (client.messages.create(**params_of(PROMPTS["answerer"])) for _ in range(2))
    assert text_of(first) == text_of(second) != ""
    assert first.usage.service_tier == "standard"


def test_a_thought_stands_before_the_text_where_thinking_is_on(client):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    message = client.messages.create(**params_of(PROMPTS["judge"], thinking=thinking))
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[0].thinking and message.content[0].signature
    plain = client.messages.create(**params_of(PROMPTS["judge"]))
    assert [block.type for block in plain.content] == ["text"]


def test_an_answer_ends_at_max_tokens(client):
    message = client.messages.create(**params_of(PROMPTS["generator"], max_tokens=10))
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 10


def test_an_alias_is_answered_under_the_full_name(client):
    message = client.messages.create(**params_of("Hello", model="claude-haiku-4-5"))
    assert message.model == MODEL


def test_system_and_blocks_are_part_of_the_prompt(client):
    blocks = [{"type": "text", "text": "abcd"}, {"type": "text", "text": "efgh"}]
    messages = [{"role": "user", "content": blocks}]
    count = client.messages.count_tokens(model=MODEL, messages=messages, system="1234567890")
    assert count.input_tokens == len("1234567890\n\nabcdefgh") // 4


def test_the_models_are_listed(client):
    assert NEW_MODEL in {model.id for model in client.models.list()}
    assert client.models.retrieve("claude-haiku-4-5").id == MODEL
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("claude-0")


# What is refused -------------------------------------------------------------------------------


def test_a_wrong_key_is_refused_and_a_bearer_is_as_good(server):
    with pytest.raises(anthropic.AuthenticationError) as caught:
        create(client_of(server, api_key="wrong"))
    assert caught.value.type == "authentication_error"
    assert caught.value.request_id == caught.value.body["request_id"]
    bearer = client_of(server, api_key=None, auth_token=server.key)
    assert create(bearer).processing_status == "in_progress"


def test_the_version_is_asked_for(server):
    answer = httpx2.get(f"{server.address}/v1/messages/batches", headers={"x-api-key": server.key})
    assert answer.status_code == 400
    assert "anthropic-version" in answer.json()["error"]["message"]


def test_an_unknown_route_is_not_found_and_a_wrong_method_not_allowed(client):
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.post("/v1/complete", body={"prompt": "Hello"}, cast_to=object)
    assert caught.value.type == "not_found_error"
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.delete("/v1/messages", cast_to=object)
    assert caught.value.status_code == 405
    assert create(client).id


def test_malformed_json_is_refused(server):
    answer = httpx2.post(
        f"{server.address}/v1/messages",
        content=b'{"model": ',
        headers={"x-api-key": server.key, "anthropic-version": "2023-06-01"},
    )
    assert answer.status_code == 400
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["request-id"] == answer.json()["request_id"]


BAD_SHAPES = {
    "temperature": ({"temperature": 0.5}, "temperature: Extra inputs"),
    "top_p": ({"top_p": 0.5}, "top_p: Extra inputs"),
    "top_k": ({"top_k": 5}, "top_k: Extra inputs"),
    "unknown": ({"wisdom": 1}, "wisdom: Extra inputs"),
    "max_tokens": ({"max_tokens": 0}, "max_tokens: "),
    "max_tokens of another type": ({"max_tokens": True}, "max_tokens: "),
    "no messages": ({"messages": []}, "messages: at least one"),
    "role": ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages.0.role: "),
    "content": ({"messages": [{"role": "user", "content": ""}]}, "messages.0.content: "),
    "kind of thinking": ({"thinking": {"type": "deep"}}, "thinking: Input tag 'deep'"),
    "no budget": (
        {"thinking": {"type": "enabled"}},
        "thinking.enabled.budget_tokens: Field required",
    ),
    "small budget": (
        {"thinking": {"type": "enabled", "budget_tokens": 1023}},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    "adaptive budget": (
        {"thinking": {"type": "adaptive", "budget_tokens": 2000}},
        "thinking.adaptive.budget_tokens: Extra inputs",
    ),
    "effort": ({"output_config": {"effort": "heroic"}}, "output_config.effort: "),
    "format": (
        {"output_config": {"format": {"type": "json", "schema": SCORE_SCHEMA}}},
        "output_config.format.type: ",
    ),
}


@pytest.mark.parametrize("name", BAD_SHAPES)
def test_a_bad_shape_is_refused_and_refuses_a_whole_batch(server, client, name):
    changes, complaint = BAD_SHAPES[name]
    params = params_of("Hello") | changes
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.post("/v1/messages", body=params, cast_to=object)
    assert caught.value.api_message.startswith(complaint)
    with pytest.raises(anthropic.BadRequestError) as caught:
        create(client, [request_of("a"), {"custom_id": "b", "params": params}])
    assert caught.value.api_message.startswith(f"requests.1.params.{complaint}")
    assert server.ledger.batches == {}


@pytest.mark.parametrize("missing", ["model", "max_tokens", "messages"])
def test_a_missing_field_is_refused(client, missing):
    params = params_of("Hello")
    del params[missing]
    with pytest.raises(anthropic.BadRequestError, match=rf"params\.{missing}: Field required"):
        create(client, [{"custom_id": "a", "params": params}])


BAD_SCHEMAS = {
    "open object": (SCORE_SCHEMA | {"additionalProperties": True}, "additionalProperties"),
    "no list of the required": (
        {key: value for key, value in SCORE_SCHEMA.items() if key != "required"},
        "required",
    ),
    "unknown required": (SCORE_SCHEMA | {"required": ["sense"]}, "'sense', which is no property"),
    "minItems": ({"type": "array", "items": {"type": "string"}, "minItems": 2}, "minItems"),
    "maxItems": ({"type": "array", "items": {"type": "string"}, "maxItems": 2}, "maxItems"),
    "maxLength": ({"type": "string", "maxLength": 4}, "maxLength"),
    "minimum": ({"type": "number", "minimum": 0}, "minimum"),
}


@pytest.mark.parametrize("name", BAD_SCHEMAS)
def test_a_schema_that_cannot_be_held_to_is_refused_however_deep_it_lies(client, name):
    schema, complaint = BAD_SCHEMAS[name]
    whole = SCORE_SCHEMA | {"properties": {"score": {"type": "array", "items": schema}}}
    config = {"format": {"type": "json_schema", "schema": whole}}
    with pytest.raises(anthropic.BadRequestError, match=re.escape(complaint)):
        client.messages.create(**params_of("Hello", output_config=config))


def test_a_good_schema_is_accepted(client):
    config = {"format": {"type": "json_schema", "schema": SCORE_SCHEMA}, "effort": "low"}
    message = client.messages.create(
        **params_of(PROMPTS["judge"], model=NEW_MODEL, output_config=config)
    )
    assert message.stop_reason == "end_turn"


SENSELESS = {
    "unknown model": ({"model": "claude-0"}, 404, "model: claude-0"),
    "budget on a new model": (
        {"model": NEW_MODEL, "thinking": {"type": "enabled", "budget_tokens": 1024}},
        400,
        f"'enabled' is not supported by {NEW_MODEL}",
    ),
    "adaptive on an old model": (
        {"thinking": {"type": "adaptive"}},
        400,
        f"'adaptive' is not supported by {MODEL}",
    ),
    "budget of all tokens": (
        {"thinking": {"type": "enabled", "budget_tokens": 4096}},
        400,
        "`max_tokens` must be greater than `thinking.budget_tokens`",
    ),
    "more tokens than the model has": ({"max_tokens": 64_001}, 400, "64001 > 64000"),
    "effort on an old model": ({"output_config": {"effort": "low"}}, 400, "effort"),
}


@pytest.mark.parametrize("name", SENSELESS)
def test_invalid_settings_fail_only_their_own_request(server, client, name):
    changes, status, complaint = SENSELESS[name]
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.post("/v1/messages", body=params_of("Hello") | changes, cast_to=object)
    assert caught.value.status_code == status
    assert complaint in caught.value.api_message
    batch = create(client, [request_of("a-1"), request_of("b-1", **changes)])
    results = results_of(client, batch)
    assert (results["a-1"].type, results["b-1"].type) == ("succeeded", "errored")
    assert results["b-1"].error.error.message == caught.value.api_message
    assert results["b-1"].error.error.type == caught.value.type
    assert server.ledger.billed == {"a-1": 1}


@pytest.mark.parametrize("kind", ["adaptive", "disabled"])
def test_a_new_model_thinks_adaptively_or_not_at_all(client, kind):
    thinking = {"type": kind}
    message = client.messages.create(**params_of("Hello", model=NEW_MODEL, thinking=thinking))
    assert (message.content[0].type == "thinking") == (kind == "adaptive")


@pytest.mark.parametrize("custom_id", ["", "a.b", "a" * 65, "ä", "a\n"])
def test_a_custom_id_has_its_form(client, custom_id):
    with pytest.raises(anthropic.BadRequestError, match=r"requests\.0\.custom_id"):
        create(client, [request_of(custom_id)])


def test_a_custom_id_is_unique_in_its_batch(client):
    with pytest.raises(anthropic.BadRequestError, match=r"requests\.1\.custom_id.*unique"):
        create(client, [request_of("a"), request_of("a")])
    assert create(client, [request_of("a")]).id != create(client, [request_of("a")]).id


def test_a_batch_has_requests_and_nothing_else(client):
    with pytest.raises(anthropic.BadRequestError, match="requests"):
        client.messages.batches.create(requests=[])
    with pytest.raises(anthropic.BadRequestError, match="wisdom: Extra inputs"):
        client.messages.batches.create(requests=[request_of()], extra_body={"wisdom": 1})
    with pytest.raises(anthropic.BadRequestError, match=r"requests\.0\.params\.stream"):
        create(client, [request_of(stream=True)])


def test_a_batch_that_is_too_long_or_too_large_is_refused():
    with StandIn(max_requests=3, max_bytes=4000) as server:
        client = client_of(server)
        assert create(client, [request_of(str(number)) for number in range(3)])
        with pytest.raises(anthropic.BadRequestError, match="1 to 3 items, not 4"):
            create(client, [request_of(str(number)) for number in range(4)])
        with pytest.raises(anthropic.ContentTooLargeError) as caught:
            create(client, [request_of(prompt="x" * 4000)])
        assert caught.value.type == "request_too_large"
        assert len(server.ledger.batches) == 1


def test_a_body_in_chunks_is_read_as_well(server):
    def body():
        yield b'{"requests": '
        yield json.dumps([request_of("a-1")]).encode()
        yield b"}"

    with httpx2.Client(headers={"x-api-key": server.key, "anthropic-version": "1"}) as http:
        for _ in range(2):
            answer = http.post(f"{server.address}/v1/messages/batches", content=body())
            assert answer.status_code == 200
    assert len(server.ledger.batches) == 2


# Faults of making a batch ----------------------------------------------------------------------


@pytest.mark.parametrize("name", [*faults.REFUSALS, *faults.OUTAGES])
def test_a_refusal_leaves_no_batch_and_is_not_repeated(server, client, name):
    server.plan(name)
    with pytest.raises(anthropic.APIStatusError) as caught:
        create(client)
    expected = (faults.REFUSALS | faults.OUTAGES)[name]
    assert caught.value.status_code == expected.status
    assert caught.value.body == expected.body(caught.value.request_id)
    assert server.ledger.batches == {}
    assert create(client).id in server.ledger.batches
    assert [(post.status, post.outcome) for post in server.ledger.posts] == [
        (expected.status, name),
        (200, "answered"),
    ]


@pytest.mark.parametrize("place", ["creation", "message"])
@pytest.mark.parametrize("name", faults.RATE_LIMITS)
def test_a_rate_limit_says_in_its_own_way_how_long_to_wait(server, client, name, place):
    server.plan(name, at=place, seconds=2)
    with pytest.raises(anthropic.RateLimitError) as caught:
        if place == "creation":
            create(client)
        else:
            client.messages.create(**params_of("Hello"))
    headers = caught.value.response.headers
    waits = {header: headers[header] for header in headers if header.startswith("retry-after")}
    if name == "rate limit until a date":
        until = parsedate_to_datetime(waits.pop("retry-after"))
        assert 1 < (until - datetime.now(UTC)).total_seconds() <= 3
    assert waits == {
        "rate limit in seconds": {"retry-after": "2"},
        "rate limit in milliseconds": {"retry-after-ms": "2000"},
        "absurd rate limit": {"retry-after": "999999999"},
        "negative rate limit": {"retry-after": "-5"},
    }.get(name, {})
    code = "enforced_spend_limit_reached" if name == "spend limit" else None
    assert caught.value.error_code == code
    assert ("queued" in caught.value.api_message) == (name == "full queue")
    assert server.ledger.batches == {}


def test_a_client_that_retries_waits_as_told_and_gets_its_batch(server):
    server.plan("rate limit in seconds", seconds=0.3)
    start = time.monotonic()
    create(client_of(server, max_retries=1))
    assert 0.3 <= time.monotonic() - start < 5
    assert [post.status for post in server.ledger.posts] == [429, 200]


def test_a_commit_followed_by_a_reset_leaves_a_batch(server, client):
    server.plan("reset after commit")
    with pytest.raises(anthropic.APIConnectionError) as caught:
        create(client)
    assert isinstance(caught.value.__cause__, httpx2.ReadError)
    (batch,) = client.messages.batches.list()
    assert list(server.ledger.batches) == [batch.id]
    assert server.ledger.posts[0].status is None


def test_a_commit_followed_by_an_error_leaves_a_batch(server, client):
    server.plan("error after commit")
    with pytest.raises(anthropic.InternalServerError):
        create(client)
    assert len(server.ledger.batches) == 1


def test_a_commit_followed_by_silence_leaves_a_batch(server):
    server.plan("hang after commit")
    start = time.monotonic()
    with pytest.raises(anthropic.APITimeoutError):
        create(client_of(server, timeout=0.3))
    assert time.monotonic() - start < 5
    assert len(server.ledger.batches) == 1


def test_silence_has_an_end(server, client):
    server.plan("hang after commit", seconds=0.2)
    with pytest.raises(anthropic.APIConnectionError):
        create(client)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("late commit after an error", anthropic.InternalServerError),
        ("late commit after a reset", anthropic.APIConnectionError),
    ],
)
def test_a_late_commit_leaves_a_batch_later(server, client, name, error):
    server.plan(name, seconds=60)
    with pytest.raises(error):
        create(client)
    assert server.ledger.batches == {}
    assert client.messages.batches.list().data == []
    server.pass_time(60)
    assert len(client.messages.batches.list().data) == len(server.ledger.batches) == 1


def test_a_reset_before_the_body_leaves_no_batch(server, client):
    server.plan("reset before the body")
    with pytest.raises(anthropic.APIConnectionError):
        create(client, [request_of(prompt="x" * 5_000_000)])
    assert server.ledger.batches == {}
    assert [post.outcome for post in server.ledger.posts] == ["reset before the body"]


def test_a_double_commit_makes_two_batches_and_bills_twice(server, client):
    server.plan("double commit")
    batch = create(client, [request_of("a-1")])
    listed = [batch.id for batch in client.messages.batches.list()]
    assert len(listed) == 2 and batch.id in listed
    assert server.ledger.billed == {"a-1": 2}


# Faults of looking -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("internal error", anthropic.InternalServerError),
        ("overload", anthropic.OverloadedError),
        ("reset", anthropic.APIConnectionError),
    ],
)
@pytest.mark.parametrize("place", ["list", "retrieval", "download", "message"])
def test_every_look_can_fail_once(server, client, place, name, error):
    batch = create(client)
    look = {
        "list": client.messages.batches.list,
        "retrieval": lambda: client.messages.batches.retrieve(batch.id),
        "download": lambda: results_of(client, batch),
        "message": lambda: client.messages.create(**params_of("Hello")),
    }[place]
    server.plan(name, at=place)
    with pytest.raises(error):
        look()
    assert look()


def test_a_stale_list_hides_the_newest_batch_for_a_while(server, client):
    old, new = create(client), create(client)
    server.plan("stale list", seconds=60)
    for _ in range(2):
        assert [batch.id for batch in client.messages.batches.list()] == [old.id]
    assert client.messages.batches.retrieve(new.id).id == new.id
    server.pass_time(60)
    assert [batch.id for batch in client.messages.batches.list()] == [new.id, old.id]


def test_a_known_batch_can_go_missing_for_once(server, client):
    batch = create(client)
    server.plan("missing batch")
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(batch.id)
    assert client.messages.batches.retrieve(batch.id).id == batch.id


# Faults of downloads ---------------------------------------------------------------------------


@pytest.fixture
def download(server, client):
    """Ten results as they are, and as they come with a fault."""

    def fetch(name):
        batch = create(client, requests_of("judge", 10))
        whole = raw_results(server, batch).content.splitlines(keepends=True)
        server.plan(name)
        damaged = raw_results(server, batch).content.splitlines(keepends=True)
        assert raw_results(server, batch).content.splitlines(keepends=True) == whole
        return whole, damaged

    return fetch


def test_a_download_can_break_off_in_its_middle(server, client):
    batch = create(client, requests_of("judge", 10))
    server.plan("reset in the body", at="download")
    seen = []
    with pytest.raises(httpx2.ReadError):
        for line in client.messages.batches.results(batch.id):
            seen.append(line.custom_id)
    assert len(seen) == 5
    assert len(results_of(client, batch)) == 10


def test_a_download_cut_in_a_line_ends_cleanly(download):
    whole, damaged = download("cut in a line")
    assert damaged[:5] == whole[:5]
    assert len(damaged) == 6 and whole[5].startswith(damaged[5]) and damaged[5] != whole[5]


def test_a_download_cut_between_lines_ends_cleanly(download):
    whole, damaged = download("cut between lines")
    assert damaged == whole[:5]


def test_a_line_can_be_missing(download):
    whole, damaged = download("missing line")
    assert damaged == whole[:5] + whole[6:]


def test_a_line_can_come_twice(download):
    whole, damaged = download("double line")
    assert damaged == [*whole[:6], whole[5], *whole[6:]]


def test_a_foreign_line_can_stand_instead_of_one(download):
    whole, damaged = download("foreign line instead")
    assert damaged[:5] + damaged[6:] == whole[:5] + whole[6:]
    foreign, own = json.loads(damaged[5]), json.loads(whole[5])
    assert foreign == own | {"custom_id": faults.FOREIGN_ID}


def test_a_foreign_line_can_stand_besides_all(download):
    whole, damaged = download("foreign line besides")
    assert damaged[:6] + damaged[7:] == whole
    assert json.loads(damaged[6])["custom_id"] == faults.FOREIGN_ID


def test_a_result_can_be_of_an_unknown_type(download):
    whole, damaged = download("unknown result type")
    assert damaged[:5] + damaged[6:] == whole[:5] + whole[6:]
    assert json.loads(damaged[5])["result"] == {"type": "postponed"}


def test_a_line_can_be_malformed(download):
    whole, damaged = download("malformed line")
    assert damaged[:5] + damaged[6:] == whole[:5] + whole[6:]
    with pytest.raises(json.JSONDecodeError):
        json.loads(damaged[5])


def test_results_can_go_missing_for_once(server, client):
    batch = create(client)
    server.plan("missing results")
    with pytest.raises(anthropic.NotFoundError):
        results_of(client, batch)
    assert len(results_of(client, batch)) == 1


# Wrong answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("invalid result", "invalid_request_error", "invalid"),
        ("overloaded result", "overloaded_error", "Overloaded"),
        ("unpaid result", "billing_error", "Your credit balance is too low"),
    ],
)
def test_a_request_can_come_back_errored_and_is_not_billed(server, client, name, kind, message):
    server.plan(name)
    result = only_result(client, requests_of("judge"))
    assert (result.type, result.error.error.type) == ("errored", kind)
    assert message in result.error.error.message
    assert server.ledger.billed == {}


@pytest.mark.parametrize("kind", ["expired", "canceled"])
def test_a_request_can_come_back_unanswered_and_is_not_billed(server, client, kind):
    server.plan(f"{kind} result")
    batch = create(client, requests_of("judge", 2))
    assert sorted(result.type for result in results_of(client, batch).values()) == sorted(
        [kind, "succeeded"]
    )
    counts = client.messages.batches.retrieve(batch.id).request_counts.model_dump()
    assert (counts[kind], counts["succeeded"], counts["processing"]) == (1, 1, 0)
    assert server.ledger.billed.total() == 1


def right_text(stage):
    return answers.STAGES[stage](PROMPTS[stage], custom_id_of(stage).removesuffix("-1"))


def test_an_answer_can_be_cut_off_and_is_billed(server, client):
    server.plan("cut-off result")
    message = only_result(client, requests_of("generator")).message
    assert message.stop_reason == "max_tokens"
    assert right_text("generator").startswith(text_of(message)) and text_of(message)
    assert server.ledger.billed == {custom_id_of("generator"): 1}


def test_a_model_can_refuse(server, client):
    server.plan("refused result")
    message = only_result(client, requests_of("generator")).message
    assert (message.stop_reason, message.content) == ("refusal", [])
    assert message.stop_details.type == "refusal"


def test_a_model_can_think_and_write_nothing(server, client):
    server.plan("thinking without text")
    message = only_result(client, requests_of("generator")).message
    assert [block.type for block in message.content] == ["thinking"]


@pytest.mark.parametrize("name", ["unescaped quotes", "raw line breaks", "cut-off JSON"])
def test_json_can_be_damaged(server, client, name):
    server.plan(name)
    text = text_of(only_result(client, requests_of("generator")).message)
    assert json.loads(right_text("generator"))
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    assert (name == "raw line breaks") == ("\n" in text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("score as a fraction", "0.7/1"),
        ("score with a comma", "0,7"),
        ("score above one", "1.5"),
        ("score that is no number", "NaN"),
        ("empty score", ""),
    ],
)
def test_a_score_can_be_none(server, client, name, text):
    server.plan(name)
    assert only_result(client, requests_of("answerer")).message.stop_reason == "end_turn"
    assert text_of(only_result(client, requests_of("judge")).message) == text


def test_a_wrong_answer_hits_first_attempts_unless_told_otherwise(server, client):
    server.plan("expired result", times=None)
    assert only_result(client, requests_of("judge", attempt=1)).type == "expired"
    assert only_result(client, requests_of("judge", attempt=2)).type == "succeeded"
    server.plan("canceled result", times=None, every_attempt=True)
    assert only_result(client, requests_of("judge", attempt=2)).type == "canceled"


def test_wrong_answers_are_chosen_by_pattern_function_or_share(server, client):
    def hit(**choice):
        server.faults.clear()
        server.plan("expired result", None, **choice)
        results = results_of(client, create(client, requests_of("judge", 200)))
        return {name for name, result in results.items() if result.type == "expired"}

    chosen = custom_id_of("judge", 7)
    assert hit(when=chosen) == {chosen}
    assert hit(when=lambda custom_id: custom_id == chosen) == {chosen}
    share = hit(chance=0.2)
    assert 20 <= len(share) <= 60
    assert hit(chance=0.2) == share


# Faults of single messages ---------------------------------------------------------------------


def test_a_message_can_break_off_in_its_middle(server, client):
    server.plan("reset in the body", at="message")
    with pytest.raises((anthropic.APIConnectionError, httpx2.ReadError)):
        client.messages.create(**params_of("Hello"))
    assert client.messages.create(**params_of("Hello")).content


def test_a_message_can_hang(server):
    server.plan("hang")
    with pytest.raises(anthropic.APITimeoutError):
        client_of(server, timeout=0.3).messages.create(**params_of("Hello"))


# Plans, chaos and the ledger -------------------------------------------------------------------


def test_a_fault_happens_as_often_as_planned(server, client):
    server.plan("overload", times=2)
    for _ in range(2):
        with pytest.raises(anthropic.OverloadedError):
            create(client)
    assert create(client).id


def test_chance_is_seeded():
    def fails(client):
        try:
            client.messages.batches.list()
        except anthropic.OverloadedError:
            return True
        return False

    def failures(seed):
        with StandIn(seed=seed) as server:
            server.plan("overload", None, at="list", chance=0.5)
            client = client_of(server)
            return [fails(client) for _ in range(20)]

    assert failures(seed=3) == failures(seed=3) != failures(seed=4)
    assert 3 < sum(failures(seed=3)) < 17


@pytest.mark.parametrize(("name", "place"), [("bad luck", None), ("stale list", "creation")])
def test_an_unknown_fault_is_refused(server, name, place):
    with pytest.raises(ValueError, match="no fault"):
        server.plan(name, at=place)


def test_chaos_draws_every_fault_and_a_patient_client_gets_through(server):
    server.chaos(seed=1, share=0.5, seconds=0.01, without=("absurd rate limit",))
    client = client_of(server)
    answered = 0
    for number in range(300):
        try:
            batch = create(client, [request_of(f"judge-{number}-2", PROMPTS["judge"])])
            answered += len(results_of(client, batch))
        except (anthropic.APIError, httpx2.TransportError, json.JSONDecodeError):
            continue
    seen = {post.outcome for post in server.ledger.posts}
    assert seen == {"answered", *faults.PLACES["creation"]} - {"absurd rate limit"}
    assert answered > 10
    assert max(server.ledger.billed.values()) <= 2


def test_the_ledger_counts_what_is_billed_by_attempt_and_by_request(server, client):
    first = create(client, [request_of("a-1"), request_of("b-1")])
    second = create(client, [request_of("a-2")])
    assert server.ledger.billed == {"a-1": 1, "b-1": 1, "a-2": 1}
    assert server.ledger.billed_requests == {"a": 2, "b": 1}
    assert server.ledger.batches == {first.id: ("a-1", "b-1"), second.id: ("a-2",)}


def test_nothing_is_billed_before_the_batch_ends(server, client):
    server.service.seconds = 3600
    create(client)
    assert server.ledger.billed == {}
    server.end_batches()
    assert server.ledger.billed == {"generator-1": 1}


def test_many_clients_at_once_lose_nothing(server):
    def work(name):
        client = client_of(server)
        for number in range(10):
            batch = create(client, [request_of(f"{name}-{number}-1")])
            assert client.messages.batches.retrieve(batch.id).processing_status == "ended"
            assert len(results_of(client, batch)) == 1

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.ledger.batches) == server.ledger.billed.total() == 80
    assert set(server.ledger.billed.values()) == {1}


def test_a_closed_stand_in_refuses_connections(server, client):
    create(client)
    server.close()
    with pytest.raises(anthropic.APIConnectionError):
        create(client)


def test_an_answer_that_cannot_be_given_is_an_error_of_the_test():
    def answer(model, prompt, key):
        raise LookupError("no answer for this")

    server = StandIn(answer=answer)
    with pytest.raises(anthropic.APIConnectionError):
        client_of(server).messages.create(**params_of("Hello"))
    with pytest.raises(RuntimeError, match="no answer for this"):
        server.close()


# As a process of its own -----------------------------------------------------------------------


@pytest.fixture
def address():
    """The address of a stand-in in another process."""
    folder = Path(__file__).parent / "stand_in"
    paths = [str(Path(lexical.__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    process = subprocess.Popen(
        [sys.executable, str(folder), "--port", "0", "--key", "secret"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        text=True,
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        output = process.communicate()
    assert output == ("", "")


def test_a_process_takes_faults_and_shows_its_ledger_over_http(address):
    client = anthropic.Anthropic(api_key="secret", base_url=address, max_retries=0)
    fault = {"fault": "reset after commit", "times": 2}
    assert httpx2.post(f"{address}/faults", json=fault).status_code == 200
    for _ in range(2):
        with pytest.raises(anthropic.APIConnectionError):
            create(client, [request_of("a-1")])
    batches = list(client.messages.batches.list())
    ledger = httpx2.get(f"{address}/ledger").json()
    assert ledger["batches"] == {batch.id: ["a-1"] for batch in batches[::-1]}
    assert ledger["billed"] == {"a-1": 2}
    assert ledger["billed_requests"] == {"a": 2}
    assert ledger["posts"][0] == {
        "path": "/v1/messages/batches",
        "status": None,
        "outcome": "reset after commit",
    }


def test_a_process_refuses_a_fault_that_there_is_not(address):
    answer = httpx2.post(f"{address}/faults", json={"fault": "bad luck"})
    assert answer.status_code == 400
    assert "bad luck" in answer.json()["error"]["message"]


def test_a_process_takes_chaos_and_forgets_it(address):
    client = anthropic.Anthropic(api_key="secret", base_url=address, max_retries=0)
    chaos = {"seed": 1, "share": 1, "at": ["list"], "without": ["stale list"]}
    assert httpx2.post(f"{address}/faults", json=chaos).status_code == 200
    with pytest.raises(anthropic.APIError):
        for _ in range(20):
            client.messages.batches.list()
    assert httpx2.delete(f"{address}/faults").status_code == 200
    assert all(client.messages.batches.list().data == [] for _ in range(20))
