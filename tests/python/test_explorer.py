"""The explorer serves the data set and nothing else, to this machine and no other."""

from __future__ import annotations

import http.client
import json
import socket
import threading

import browsing
import hub_client
import pytest
from stand_in_hub import StandInHub

from latent_probes.common import limits
from latent_probes.explorer import page, server, sources

CONTENT = bytes(range(200)) * 50


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data set with one table, and a page."""
    static, folder = tmp_path / "static", tmp_path / "set"
    for place in (static, folder / "data"):
        place.mkdir(parents=True)
    for name in page.NAMES:
        (static / name).write_text(name)
    monkeypatch.setattr(page, "STATIC", static)
    (folder / "data" / "train-all.parquet").write_bytes(CONTENT)
    (folder / "README.md").write_text("not served")
    (tmp_path / "secret.parquet").write_text("secret")
    listed = ("data/train-all.parquet", "../secret.parquet", "README.md", "gone.parquet")
    manifest = {"files": [{"path": path} for path in listed]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def ask(folder):
    """Asks the server for a path; gives status, headers and content."""
    with server.started(sources.opened(str(folder)), 0) as served, browsing.running(served):

        def ask(path, method="GET", **headers):
            connection = http.client.HTTPConnection("127.0.0.1", served.server_port, timeout=10)
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()

        yield ask


def test_a_file_is_served_whole_or_by_a_range(ask):
    path = "/data/train-all.parquet"
    assert ask(path)[::2] == (200, CONTENT)
    assert ask(path, Range="bytes=10-19")[::2] == (206, CONTENT[10:20])
    status, headers, content = ask(path, Range="bytes=9990-20000")
    assert (status, content) == (206, CONTENT[9990:])
    assert headers["Content-Range"] == "bytes 9990-9999/10000"
    assert ask(path, Range="bytes=10000-")[0] == 416
    status, headers, content = ask(path, "HEAD")
    assert (status, headers["Content-Length"], content) == (200, "10000", b"")


def test_a_large_file_is_sent_in_pieces(ask, monkeypatch):
    monkeypatch.setattr(server, "PIECE", 3000)
    assert ask("/data/train-all.parquet", Range="bytes=1-")[2] == CONTENT[1:]


def test_only_the_page_and_listed_tables_are_served(ask):
    assert ask("/explore/")[2] == b"index.html"
    assert ask("/")[1]["Location"] == "/explore/"
    for path in (
        "/README.md",
        "/../secret.parquet",
        "/%2e%2e/secret.parquet",
        "/explore/../x",
        "/gone.parquet",
    ):
        assert ask(path)[0] == 404, path


def test_a_page_may_load_nothing_from_elsewhere(ask):
    headers = ask("/explore/")[1]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "connect-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in headers


def test_a_site_whose_name_leads_to_this_machine_is_refused(ask):
    assert ask("/manifest.json", Host="evil.example:8421")[0] == 421


def test_a_link_that_leads_out_of_the_folder_is_refused(folder):
    (folder / "gone.parquet").symlink_to(folder.parent / "secret.parquet")
    with pytest.raises(sources.SourceError, match="outside"):
        sources.folder(folder)


@pytest.mark.parametrize(
    "name",
    ["a\0b.parquet", "\ud83d.parquet", "a" * 300 + ".parquet", "a/" * 3000 + "b.parquet"],
    ids=lambda name: ascii(name[:8]),
)
def test_a_name_that_no_file_can_have_is_not_served(folder, name):
    path = folder / "manifest.json"
    listed = json.loads(path.read_text())
    listed["files"].append({"path": name})
    path.write_text(json.dumps(listed))
    assert set(sources.folder(folder).sizes) == {"manifest.json", "data/train-all.parquet"}


@pytest.mark.parametrize("target", ["gone.parquet", "../set/gone.parquet"])
def test_a_link_in_a_loop_is_one_sentence(folder, target):
    (folder / "gone.parquet").symlink_to(target)
    with pytest.raises(sources.SourceError, match="loop"):
        sources.folder(folder)


def test_a_manifest_is_a_file_of_the_folder_and_not_longer_than_ours(folder, monkeypatch):
    monkeypatch.setattr(limits, "DATA_SET_TEXT_BYTES", 10)
    with pytest.raises(sources.SourceError, match="larger than 10 bytes"):
        sources.folder(folder)
    (folder / "manifest.json").rename(folder.parent / "manifest.json")
    (folder / "manifest.json").symlink_to("../manifest.json")
    with pytest.raises(sources.SourceError, match="outside"):
        sources.folder(folder)


def test_a_connection_that_a_browser_closes_prints_nothing(folder, capfd):
    # Longer than the buffers of a connection.
    with (folder / "data" / "train-all.parquet").open("r+b") as file:
        file.truncate(32 << 20)
    ended = threading.Event()
    with server.started(sources.opened(str(folder)), 0) as served, browsing.running(served):
        served.shutdown_request = lambda request: (socket.socket.close(request), ended.set())
        with socket.create_connection(("127.0.0.1", served.server_port)) as connection:
            host = f"127.0.0.1:{served.server_port}"
            connection.sendall(
                f"GET /data/train-all.parquet HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
            )
            assert connection.recv(12) == b"HTTP/1.1 200"
        assert ended.wait(10)
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A stand-in that the client in this process takes for the Hub."""
    with StandInHub() as hub:
        hub_client.be_new(monkeypatch, tmp_path)
        hub_client.ask(monkeypatch, hub.address)
        monkeypatch.setenv("HF_TOKEN", hub.token)
        yield hub


def test_a_data_set_on_the_hub_is_read_by_ranges_of_one_commit(hub, folder):
    contents = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in (folder / "manifest.json", folder / "data" / "train-all.parquet")
    }
    repository = hub.create("owner/probes")
    commit = repository.commit(contents)
    source = sources.opened("hf://datasets/owner/probes")
    repository.commit({"data/train-all.parquet": b"other"})
    assert source.name == f"owner/probes at {commit[:12]}"
    assert source.sizes["data/train-all.parquet"] == len(CONTENT)
    before = sum(request.n_sent for request in hub.requests)
    assert source.read("data/train-all.parquet", 10, 30) == CONTENT[10:30]
    assert sum(request.n_sent for request in hub.requests) - before == 20


def test_a_data_set_that_is_not_on_the_hub_says_so(hub):
    with pytest.raises(sources.SourceError, match="owner/nothing"):
        sources.opened("hf://datasets/owner/nothing")
    hub.create("owner/other").commit({"README.md": b"x"})
    with pytest.raises(sources.SourceError, match="has no manifest"):
        sources.opened("hf://datasets/owner/other")


def test_what_cannot_be_served_says_what_to_do(folder, monkeypatch):
    with pytest.raises(sources.SourceError, match="`latent-probes export` makes it"):
        sources.opened(str(folder / "data"))
    with pytest.raises(sources.SourceError, match="hf://datasets/OWNER/NAME"):
        sources.opened("hf://models/somebody/something")
    source = sources.folder(folder)
    with (
        server.started(source, 0) as served,
        pytest.raises(server.ServerError, match="--port"),
        server.started(source, served.server_port),
    ):
        pass
    monkeypatch.setattr(page, "STATIC", folder)
    with pytest.raises(server.ServerError, match="make explorer"), server.started(source, 0):
        pass
