"""Where keys go, what is followed, and how much is read: the same for every client."""

from __future__ import annotations

import base64
import itertools
import logging
import traceback

import httpx2
import orjson
import pytest
from hub_client import ask, be_new
from landing_house import House, row, write
from scripted_server import Answer, ScriptedServer
from stand_in import StandIn
from stand_in_hub import StandInHub
from stand_in_hub.repositories import File
from stand_in_hub.server import HubHandler
from test_anthropic_messages import request_of
from test_completions import MODELS

from latent_probes.common import connections, limits, terminal
from latent_probes.providers import ProviderError, anthropic_api
from latent_probes.providers.anthropic_batches import AnthropicBatches
from latent_probes.sampling.completions import CompletionsError, ServedModel
from latent_probes.table_files import FileError

KEY = "a-key-that-nobody-may-see"
PASSWORD = "a-password-that-nobody-may-see"
LINE = anthropic_api.encode(request_of(0))


@pytest.fixture(autouse=True)
def keys(environment):
    """Keys that are told from all other text, and no proxy."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        environment.delenv(name, raising=False)
        environment.delenv(name.lower(), raising=False)
    environment.setenv("ANTHROPIC_API_KEY", KEY)
    environment.setenv("OPENAI_API_KEY", KEY)
    environment.setattr(anthropic_api, "FIRST_WAIT_SECONDS", 0.001)


@pytest.fixture
def other():
    """Another server, which is never to be asked."""
    with ScriptedServer(lambda _: Answer(orjson.dumps({"data": [], "has_more": False}))) as server:
        yield server
        assert server.asked == []


def anthropic(address: str) -> None:
    """Ask the API at an address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_BASE_URL", address)
        AnthropicBatches().count(LINE)


def completions(address: str) -> None:
    """Ask what a server of completions has."""
    ServedModel(f"{address}/v1", "base", None, None, 1)


CLIENTS = {"anthropic": (anthropic, ProviderError), "completions": (completions, CompletionsError)}


def refusal(name: str, address: str) -> str:
    """Why a client refuses an address; without a key or a password."""
    client, kind = CLIENTS[name]
    with pytest.raises(kind) as caught:
        client(address)
    shown = "".join(traceback.format_exception(caught.value))
    assert KEY not in shown and PASSWORD not in shown
    return str(caught.value)


# Addresses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("after", [f"/v1?key={PASSWORD}", "/?a=b", f"/v1#{PASSWORD}"])
def test_an_address_ends_in_a_path(other, name, after):
    said = refusal(name, f"{other.address}{after}")
    assert said.endswith("must end in a host or a path: remove what follows ? or #")


@pytest.fixture
def no_certificates(monkeypatch, tmp_path):
    """The certificates of an environment that was removed."""
    connections.certificates.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    yield "certificates in SSL_CERT_FILE cannot be used (No such file or directory)"
    connections.certificates.cache_clear()


@pytest.mark.parametrize("name", CLIENTS)
def test_missing_certificates_are_named(other, no_certificates, name):
    assert no_certificates in refusal(name, other.address)


def test_what_are_no_certificates_is_named(other, no_certificates, monkeypatch, tmp_path):
    (tmp_path / "gone.pem").write_text("no certificate")
    assert "certificates in SSL_CERT_FILE cannot be used" in refusal("anthropic", other.address)


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(
    "host", ["example.com", "192.0.2.1:8000", "[2001:db8::1]", "0.0.0.0", "localhost.example.com"]
)
def test_a_key_is_not_sent_unencrypted_to_another_machine(name, host):
    said = refusal(name, f"http://user:{PASSWORD}@{host}")
    assert "https://" in said and "SSH tunnel" in said


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"],
)
def test_this_machine_is_known(host):
    assert connections.is_loopback(host)


def test_a_server_without_a_key_may_be_anywhere(environment):
    environment.delenv("OPENAI_API_KEY")
    environment.setattr(httpx2.Client, "get", lambda *_, **__: httpx2.Response(404))
    assert ServedModel("http://192.0.2.1/v1", "base", None, None, 1).has_secret is False


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY", "http_proxy"])
def test_a_key_is_not_sent_unencrypted_through_a_proxy(environment, other, name, variable):
    environment.setenv(variable, other.address.replace("//", f"//user:{PASSWORD}@"))
    said = refusal(name, "http://127.0.0.1:9")
    assert "NO_PROXY" in said


def test_a_server_that_no_proxy_is_for_is_asked(environment, other):
    environment.setenv("HTTP_PROXY", other.address)
    environment.setenv("NO_PROXY", "127.0.0.1")
    with StandIn(key=KEY) as server:
        anthropic(server.address)
        assert len(server.ledger.posts) == 1


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        (f"ftp://user:{PASSWORD}@127.0.0.1", "HTTPS_PROXY is not a proxy that can be used"),
        (f"socks9://user:{PASSWORD}@127.0.0.1", "HTTPS_PROXY is not a proxy that can be used"),
        (f"http://user:{PASSWORD}#@127.0.0.1", "HTTPS_PROXY is not a proxy that can be used"),
        (f"http://127.0.0.1:{PASSWORD}", "HTTPS_PROXY is not a proxy that can be used"),
        ("http://", "HTTPS_PROXY is not a proxy that can be used"),
        (f"socks5://user:{PASSWORD}@127.0.0.1", "socksio"),
    ],
)
def test_an_odd_proxy_is_one_sentence(environment, name, proxy, said):
    environment.setenv("HTTPS_PROXY", proxy)
    assert said in refusal(name, "https://127.0.0.1:9")


def test_a_proxy_that_is_not_used_may_be_odd(environment):
    environment.setenv("ALL_PROXY", "ftp://127.0.0.1")
    environment.setenv("NO_PROXY", "localhost, *")
    with StandIn(key=KEY) as server:
        anthropic(server.address)


def test_no_log_shows_a_password_of_an_address(caplog, environment):
    caplog.set_level(logging.DEBUG)
    basic = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    with ScriptedServer(lambda _: Answer(b'{"input_tokens": 1}')) as server:
        anthropic(server.address.replace("//", f"//user:{PASSWORD}@"))
        assert server.asked[0].headers["authorization"] == f"Basic {basic}"
    with ScriptedServer(lambda _: Answer(orjson.dumps(MODELS))) as server:
        completions(server.address.replace("//", f"//user:{PASSWORD}@"))
        assert server.asked[0].headers["authorization"] == f"Basic {basic}"
    assert "HTTP Request" in caplog.text
    assert PASSWORD not in caplog.text and KEY not in caplog.text


# Responses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_or_believed(other, name, status):
    content = orjson.dumps({"input_tokens": 1, **MODELS})
    moved = Answer(content, status, {"location": other.address})
    with ScriptedServer(lambda _: moved) as server:
        said = refusal(name, server.address)
    assert "redirect, which is not followed" in said


@pytest.mark.parametrize("name", CLIENTS)
def test_a_response_without_an_end_is_not_read_to_its_end(environment, name):
    environment.setattr(limits, "RESPONSE_BYTES", 1 << 18)
    pieces = (b"[" * (1 << 16) for _ in itertools.count())
    with ScriptedServer(lambda _: Answer(pieces)) as server:
        assert "longer than 262,144 bytes" in refusal(name, server.address)


def test_a_response_that_takes_too_long_is_not_waited_for(environment):
    for limit in ("RESPONSE_SECONDS", "RESPONSE_BYTES"):
        environment.setattr(limits, limit, 10)
    environment.setattr(limits, "BYTES_PER_SECOND", 1e9)
    stream = connections.BoundedStream(httpx2.ByteStream(b"{}"))
    stream.started_at -= 11
    with pytest.raises(connections.ResponseLimitError, match="did not end in 10 seconds"):
        list(stream)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_compressed_response_is_not_unpacked(name):
    with ScriptedServer(lambda _: Answer(b"", headers={"content-encoding": "zstd"})) as server:
        assert "compressed (zstd)" in refusal(name, server.address)
    assert {asked.headers["accept-encoding"] for asked in server.asked} == {"identity"}


@pytest.mark.parametrize("userinfo", ["", f"user:{PASSWORD}@"])
def test_what_a_server_repeats_of_a_request_is_not_shown(environment, userinfo):
    environment.setenv("ANTHROPIC_CUSTOM_HEADERS", "x-gateway: a-header-that-nobody-may-see")

    def echo(asked):
        sent = {name: asked.headers[name] for name in ("authorization", "x-gateway")}
        return Answer(orjson.dumps({"error": {"message": f"bad {sent}"}}), 400)

    with ScriptedServer(echo) as server:
        said = refusal("anthropic", server.address.replace("//", f"//{userinfo}"))
    assert said.count("…") == 2
    basic = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    assert basic not in said and "a-header" not in said


def test_an_excerpt_is_one_short_harmless_line():
    excerpt = connections.shown(b"a\n\x1b[2J\xff\xe2\x80\xae" + b"b" * 10_000)
    assert excerpt.startswith("a \N{REPLACEMENT CHARACTER}[2J")
    assert len(excerpt) == limits.SHOWN_CHARACTERS + 1
    assert terminal.printable("\ud800\x07\u202e") == "\N{REPLACEMENT CHARACTER}" * 3


# The Hub ---------------------------------------------------------------------------------------

NAME = "hf://datasets/owner/rollouts"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with StandInHub() as hub:
        be_new(monkeypatch, tmp_path)
        ask(monkeypatch, hub.address)
        path = write(tmp_path / "a.jsonl", row())
        hub.create("owner/rollouts").commit({"a.jsonl": path.read_bytes() + b"\n" * 200_000})
        yield hub


def hub_refusal(tmp_path) -> str:
    with House(tmp_path) as house, pytest.raises(FileError) as caught:
        house.land(NAME)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_list_of_the_hub_is_not_read_elsewhere(hub, other, monkeypatch, tmp_path):
    def move(self, *names):
        self.begin(302, {"location": other.address + self.path, "content-length": 0})

    monkeypatch.setattr(HubHandler, "routes", (("info", "/api/.*", move),))
    assert "refers to another host, 127.0.0.1, which is not read" in hub_refusal(tmp_path)


def test_a_page_of_a_list_is_not_read_elsewhere(hub, other, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    send = HubHandler.send

    def send_with_next(self, status, body, headers=None):
        link = {"link": f'<{other.address}/more>; rel="next"'} if self.place == "tree" else {}
        send(self, status, body, (headers or {}) | link)

    monkeypatch.setattr(HubHandler, "send", send_with_next)
    assert "refers to another host" in hub_refusal(tmp_path)


def test_a_list_of_pages_without_end_is_not_read_to_its_end(hub, monkeypatch, tmp_path):
    monkeypatch.setattr(limits, "LIST_PAGES", 5)
    send = HubHandler.send

    def send_with_next(self, status, body, headers=None):
        link = {"link": f'<{hub.address}{self.path}>; rel="next"'} if self.place == "tree" else {}
        send(self, status, [] if link else body, (headers or {}) | link)

    monkeypatch.setattr(HubHandler, "send", send_with_next)
    assert "too many pages" in hub_refusal(tmp_path)
    assert len(hub.requests) == 5


def test_a_list_of_too_many_files_is_not_read_to_its_end(hub, monkeypatch, tmp_path):
    monkeypatch.setattr(limits, "HUB_FILES", 0)
    assert "more than 0 files" in hub_refusal(tmp_path)


def test_a_file_that_is_longer_than_listed_is_not_read_to_its_end(hub, monkeypatch, tmp_path):
    as_json = File.as_json
    monkeypatch.setattr(File, "as_json", lambda self: as_json(self) | {"size": 100})
    said = hub_refusal(tmp_path)
    assert f"longer than {100 + limits.HUB_EXTRA_BYTES:,} bytes" in said
    (download,) = (tmp_path / "downloads").iterdir()
    assert download.stat().st_size <= 100 + limits.HUB_EXTRA_BYTES


def test_a_token_is_not_sent_unencrypted_to_another_machine(hub, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    ask(monkeypatch, "http://192.0.2.1")
    assert "HF_ENDPOINT must be https://" in hub_refusal(tmp_path)


def test_missing_certificates_of_the_hub_are_named(hub, no_certificates, tmp_path):
    assert hub_refusal(tmp_path).startswith(f"{NAME}: the {no_certificates}")


def test_an_odd_proxy_of_the_hub_is_one_sentence(hub, monkeypatch, tmp_path):
    monkeypatch.setenv("HTTPS_PROXY", f"ftp://user:{PASSWORD}@127.0.0.1")
    said = hub_refusal(tmp_path)
    assert "HTTPS_PROXY is not a proxy that can be used" in said and PASSWORD not in said


@pytest.mark.parametrize(
    "header", [{"retry-after": "999999999"}, {"ratelimit": '"api"; r=0; t=999999999'}]
)
def test_the_hub_is_not_waited_for_as_long_as_it_asks(hub, monkeypatch, tmp_path, header):
    def busy(self, *names):
        self.begin(429, header | {"content-length": 0})

    monkeypatch.setattr(HubHandler, "routes", (("info", "/api/.*", busy),))
    assert "asks to wait 999,999,999 seconds" in hub_refusal(tmp_path)
