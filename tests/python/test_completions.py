"""Rollouts sampled by a server: none twice, none lost, and the same seed gives the same text."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import replace

import duckdb
import orjson
import pytest
from landing_house import rows_at
from scripted_server import Answer, Asked, ScriptedServer

from latent_probes import landing
from latent_probes.sampling import completions, tokenizing
from latent_probes.sampling import rollouts as sampling
from latent_probes.sampling.completions import CompletionsError, ServedModel
from latent_probes.sampling.prefixes import Prefix
from latent_probes.sampling.rollouts import Settings

SETTINGS = Settings(temperature=0.9, top_p=0.95, top_k=0, min_p=0.0, max_new_tokens=8, seed=3)
ORIGIN = {"file": "pages.jsonl"}
PREFIXES = [Prefix(f"d{number}", f"u{number}", f"Page {number} says") for number in range(30)]
MODELS = {"object": "list", "data": [{"id": "base", "owned_by": "vllm"}]}


class CompletionsServer:
    """Continues a prompt by its seed; a test may put a fault in the way of an answer."""

    def __init__(self, fault=lambda asked, number: None, gives_ids=True):
        self.fault = fault
        self.gives_ids = gives_ids
        self.bodies: list[dict] = []
        self.answered: Counter[tuple] = Counter()
        self.lock = threading.Lock()

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == "/v1/models":
            return Answer(orjson.dumps(MODELS))
        if asked.path != "/v1/completions":
            return Answer(b"{}", 404)
        body = orjson.loads(asked.body)
        with self.lock:
            self.bodies.append(body)
            number = len(self.bodies)
        fault = self.fault(asked, number)
        if fault is not None:
            return fault
        with self.lock:
            self.answered[str(body["prompt"]), body["seed"]] += 1
        return Answer(orjson.dumps(completion(body, self.gives_ids)))


def completion(body: dict, gives_ids: bool = True) -> dict:
    """What the server writes: it depends on prompt and seed alone."""
    drawn = hashlib.sha256(f"{body['prompt']} {body['seed']}".encode()).digest()
    choice = {"index": 0, "text": f" {drawn.hex()[:12]} ü", "finish_reason": "length"}
    if drawn[0] < 64:
        choice |= {"text": "", "finish_reason": "stop"}
    if gives_ids:
        prompt = body["prompt"]
        fed = prompt if isinstance(prompt, list) else list(prompt.encode())
        choice |= {"prompt_token_ids": fed, "token_ids": list(drawn[:8])}
    return {"object": "text_completion", "model": "base", "choices": [choice]}


@pytest.fixture
def serving(monkeypatch):
    """Starts a server and makes the model that it serves."""
    monkeypatch.setattr(completions, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(completions, "LONGEST_WAIT_SECONDS", 0.05)
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    started = []

    def serve(script, model="base", in_flight=16, tokenizer=None) -> ServedModel:
        server = ScriptedServer(script)
        started.append(server)
        server.__enter__()
        return ServedModel(f"{server.address}/v1/", model, None, tokenizer, in_flight)

    yield serve
    for server in started:
        server.__exit__()


def sample(path, model, siblings=3, prefixes=PREFIXES) -> int:
    """Sample and land; how many were added."""
    return sampling.sample_rollouts(path, model, "base", prefixes, siblings, SETTINGS, ORIGIN)


def shuffled(asked: Asked, number: int) -> None:
    """Answer in another order."""
    time.sleep(random.Random(number).random() / 30)


def unreliable(asked: Asked, number: int) -> Answer | None:
    """Every third request goes wrong, each in another way."""
    shuffled(asked, number)
    if number % 3:
        return None
    match number // 3 % 5:
        case 0:
            return Answer(b"busy", 503)
        case 1:
            return Answer(b"{}", 429, {"retry-after": "0.01"})
        case 2:
            return Answer(b'{"choices": [{"te')
        case 3:
            return Answer(b'{"choices": []}')
        case _:
            raise ConnectionAbortedError("the connection is cut")


def test_every_rollout_lands_with_the_seed_of_its_own(serving, tmp_path):
    server = CompletionsServer(shuffled)
    assert sample(tmp_path / "landing.duckdb", serving(server)) == 90
    rows = rows_at(tmp_path / "landing.duckdb")
    assert len(rows) == 90
    for doc_id, index, continuation, drawing, prefix_tokens, tokens in rows:
        drawing = json.loads(drawing)
        prompt = f"Page {doc_id[1:]} says"
        assert drawing["sampling_seed"] == sampling.sampling_seed(3, doc_id, index)
        said = completion({"prompt": prompt, "seed": drawing["sampling_seed"]})["choices"][0]
        assert (continuation, drawing["finish_reason"]) == (said["text"], said["finish_reason"])
        assert (prefix_tokens, tokens) == (list(prompt.encode()), said["token_ids"])


def test_a_request_leaves_nothing_to_the_servers_own_settings(serving, tmp_path):
    server = CompletionsServer()
    sample(tmp_path / "landing.duckdb", serving(server), 1, PREFIXES[:1])
    (body,) = server.bodies
    assert body == {
        "model": "base",
        "prompt": "Page 0 says",
        "max_tokens": 8,
        "temperature": 0.9,
        "top_p": 0.95,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "seed": sampling.sampling_seed(3, "d0", 0),
        "n": 1,
        "return_token_ids": True,
    }


def test_faults_of_a_server_cost_nothing(serving, tmp_path):
    sample(tmp_path / "plain.duckdb", serving(CompletionsServer()))
    server = CompletionsServer(unreliable)
    assert sample(tmp_path / "landing.duckdb", serving(server)) == 90
    assert rows_at(tmp_path / "landing.duckdb") == rows_at(tmp_path / "plain.duckdb")
    assert set(server.answered.values()) == {1}
    assert sample(tmp_path / "landing.duckdb", serving(server)) == 0


def test_token_columns_are_null_where_a_server_gives_no_ids(serving, tmp_path):
    sample(tmp_path / "landing.duckdb", serving(CompletionsServer(gives_ids=False)), 1)
    assert {row[4:] for row in rows_at(tmp_path / "landing.duckdb")} == {(None, None)}


@pytest.fixture
def tokenizer(tmp_path) -> str:
    """The folder of a tokenizer of bytes."""
    from test_tokenizing import byte_level

    byte_level().save_pretrained(tmp_path / "tokenizer")
    return str(tmp_path / "tokenizer")


def test_with_a_tokenizer_ids_are_sent_and_decoded_here(serving, tmp_path, tokenizer):
    server = CompletionsServer()
    model = serving(server, tokenizer=tokenizer)
    sample(tmp_path / "landing.duckdb", model, 1, PREFIXES[:5])
    assert all(body["prompt"][0] == model.tokenizer.bos_token_id for body in server.bodies)
    for doc_id, _, continuation, _, prefix_tokens, tokens in rows_at(tmp_path / "landing.duckdb"):
        assert model.tokenizer.decode(prefix_tokens[1:]) == f"Page {doc_id[1:]} says"
        assert len(tokens) == 8
        assert continuation == tokenizing.continuation(model.tokenizer, prefix_tokens, tokens)
    assert model.settings["tokenizer"].startswith("tokenizer@")


def test_a_server_that_reads_other_tokens_than_were_sent_is_found_out(serving, tmp_path, tokenizer):
    def cuts(asked: Asked, number: int) -> Answer:
        said = completion(orjson.loads(asked.body))
        said["choices"][0]["prompt_token_ids"].pop()
        return Answer(orjson.dumps(said))

    with pytest.raises(CompletionsError, match="prompt tokens differ"):
        sample(
            tmp_path / "landing.duckdb", serving(CompletionsServer(cuts), tokenizer=tokenizer), 1
        )


def test_a_server_that_goes_away_stops_the_run_and_what_came_has_landed(serving, tmp_path):
    def goes_away(asked: Asked, number: int) -> Answer | None:
        return Answer(b"", 502) if number > 40 else None

    with pytest.raises(CompletionsError, match=r"did not respond in 8 tries .*rerun the same"):
        sample(tmp_path / "landing.duckdb", serving(CompletionsServer(goes_away)))
    assert len(rows_at(tmp_path / "landing.duckdb")) == 40
    sample(tmp_path / "landing.duckdb", serving(CompletionsServer()))
    sample(tmp_path / "plain.duckdb", serving(CompletionsServer()))
    assert rows_at(tmp_path / "landing.duckdb") == rows_at(tmp_path / "plain.duckdb")


@pytest.mark.parametrize("status", [400, 500])
def test_a_prompt_that_is_always_refused_keeps_no_other_from_landing(serving, tmp_path, status):
    def refuses_one(asked: Asked, number: int) -> Answer | None:
        time.sleep(0.01)
        found = orjson.loads(asked.body)["prompt"] == "Page 7 says"
        return Answer(b'{"error": {"message": "too long"}}', status) if found else None

    with pytest.raises(CompletionsError, match=r"3 rollouts failed.*'d7'"):
        sample(tmp_path / "landing.duckdb", serving(CompletionsServer(refuses_one), in_flight=4))
    assert len(rows_at(tmp_path / "landing.duckdb")) == 87


def test_a_server_that_refuses_everything_is_not_asked_for_everything(serving, tmp_path):
    server = CompletionsServer(lambda *_: Answer(b'{"error": {"message": "context"}}', 400))
    with pytest.raises(CompletionsError, match="400: context"):
        sample(tmp_path / "landing.duckdb", serving(server))
    assert len(server.bodies) <= completions.MOST_FAULTS + 16


@pytest.mark.parametrize(
    "content",
    [
        *(b"<html>Log in</html>", b"null", b"[]", b"[" * 1_000_000, b"\xff", b'{"choices": "x"}'),
        *(b'{"choices": [5]}', b'{"choices": [{"text": null, "finish_reason": "stop"}]}'),
    ],
)
def test_a_server_of_another_kind_is_asked_a_few_times_and_shown(serving, tmp_path, content):
    server = CompletionsServer(lambda *_: Answer(content))
    with pytest.raises(
        CompletionsError, match="gave 3 responses that are not completions"
    ) as error:
        sample(tmp_path / "landing.duckdb", serving(server, in_flight=1))
    assert len(server.bodies) == 3
    assert "check that --server" in str(error.value) and len(str(error.value)) < 1000


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_completion_in_another_encoding_is_read(serving, tmp_path, encoding):
    def encoded(asked: Asked, number: int) -> Answer:
        return Answer(json.dumps(completion(orjson.loads(asked.body))).encode(encoding))

    server = CompletionsServer(encoded)
    assert sample(tmp_path / "landing.duckdb", serving(server), 1, PREFIXES[:2]) == 2


def test_a_refused_key_stops_at_once_and_is_not_repeated(serving, tmp_path):
    server = CompletionsServer(lambda *_: Answer(b'{"error": {"message": "bad key"}}', 401))
    with pytest.raises(CompletionsError, match="OPENAI_API_KEY") as error:
        sample(tmp_path / "landing.duckdb", serving(server))
    assert "secret-key" not in str(error.value)
    assert len(server.bodies) <= 16


def test_the_key_is_sent_and_never_landed(serving, tmp_path):
    seen = []

    def watches(asked: Asked, number: int) -> None:
        seen.append(asked.headers["authorization"])

    sample(tmp_path / "landing.duckdb", serving(CompletionsServer(watches)), 1, PREFIXES[:2])
    assert seen == ["Bearer secret-key"] * 2
    assert b"secret-key" not in (tmp_path / "landing.duckdb").read_bytes()


def test_no_server_and_a_model_that_is_not_served_are_said_at_once(serving):
    with pytest.raises(CompletionsError, match="does not serve 'other', only base"):
        serving(CompletionsServer(), model="other")
    with pytest.raises(CompletionsError, match="no server responds"):
        ServedModel("http://127.0.0.1:9/v1", "base", None, None, 1)
    with pytest.raises(CompletionsError, match=r"--server must be"):
        ServedModel("127.0.0.1:9", "base", None, None, 1)


@pytest.mark.parametrize(
    ("said", "landed"), [("half \ud83d", "half "), ("a \x00 b", "a "), ("cut �", "cut ")]
)
def test_a_forbidden_character_ends_the_text(serving, tmp_path, said, landed):
    choice = {"text": said, "finish_reason": "length", "token_ids": [1, 2]}
    content = json.dumps({"choices": [choice]}).encode()
    server = CompletionsServer(lambda *_: Answer(content))
    sample(tmp_path / "landing.duckdb", serving(server), 1, PREFIXES[:1])
    (row,) = rows_at(tmp_path / "landing.duckdb")
    assert (row[2], row[5]) == (landed, [1, 2])


def test_what_a_server_says_of_itself_is_recorded_without_its_address(serving, tmp_path):
    path = tmp_path / "landing.duckdb"
    sample(path, serving(CompletionsServer()), 1, PREFIXES[:1])
    with landing.opened(path) as connection:
        ((_, _, details),) = landing.sources_of(connection, "base")
    assert details["environment"]["server"] == {"owned_by": "vllm"}
    assert "127.0.0.1" not in json.dumps(details)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_command_goes_on_where_it_was(serving, checkout, tmp_path, how):
    (checkout.folder / "pages.jsonl").write_text(
        "".join(
            json.dumps({"id": prefix.doc_id, "url": prefix.doc_source, "prefix": prefix.text})
            + "\n"
            for prefix in PREFIXES
        )
    )
    checkout = replace(checkout, variables={"OPENAI_API_KEY": "secret-key"})

    def slow(asked: Asked, number: int) -> Answer | None:
        time.sleep(0.3)
        return unreliable(asked, number)

    command = ["latent-probes", "sample", "--prefixes", "pages.jsonl", "--model", "base"]
    command += ["--siblings", "3", "--seed", "3", "--max-new-tokens", "8", "--in-flight", "6"]
    command += ["--temperature", "0.9", "--top-p", "0.95"]
    server = CompletionsServer(slow)
    with ScriptedServer(server) as address:
        command += ["--server", f"{address.address}/v1"]
        process = checkout.start(*command)
        landed = 0
        while landed == 0:
            assert process.poll() is None, process.communicate()
            # Each look opens the file, which takes longer than to answer.
            time.sleep(0.2)
            try:
                ((landed,),) = checkout.query("select count(*) from rollouts", file="landing")
            except duckdb.Error:
                continue
        process.send_signal(how)
        output, _ = process.communicate()
        assert process.returncode == (130 if how == signal.SIGINT else -how)
        ((landed,),) = checkout.query("select count(*) from rollouts", file="landing")
        assert landed < 90
        server.fault = shuffled
        output += checkout.runs(*command)
    assert f"landed {90 - landed:,} rollouts of base; {landed:,} had" in output
    assert "secret-key" not in output
    sample(tmp_path / "plain.duckdb", serving(CompletionsServer()))
    assert rows_at(checkout.home / "landing.duckdb") == rows_at(tmp_path / "plain.duckdb")
    # What was answered before the kill and did not land is asked again, once.
    assert max(server.answered.values()) <= 2


def test_without_torch_the_remedy_is_named(monkeypatch):
    import sys

    from latent_probes.sampling import language_model

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(language_model.LanguageModelError, match=r"requirements-lm\.lock"):
        language_model.libraries()


def test_a_password_in_the_address_is_not_shown():
    with pytest.raises(completions.CompletionsError, match=r"at http://127\.0\.0\.1:9/v1 "):
        completions.ServedModel("http://me:secret@127.0.0.1:9/v1", "m", None, None, 1)


@pytest.mark.parametrize("said", [["5"], [1 << 40], [-1], [True], "abc", {"a": 1}, None])
def test_what_is_no_list_of_ids_is_none(said):
    assert completions.token_ids(said) is None
    assert completions.token_ids([0, 5]) == [0, 5]
