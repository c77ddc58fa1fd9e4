"""Files of data sets on the Hub land one by one, completely and once, or fail with a reason."""

import gzip
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import termios
import time
from pathlib import Path

import pyarrow
import pytest
from conftest import ROOT, Checkout
from hub_client import ask, be_new
from huggingface_hub import constants, hf_hub_download
from landing_house import House, row, write
from stand_in_hub import StandInHub
from stand_in_hub.repositories import File

from latent_probes import rollout_files
from latent_probes.rollout_files import Landed
from latent_probes.table_files import FileError

NAME = "hf://datasets/owner/rollouts"
# What the client writes at once; a download that breaks off is known up to there.
PIECE = 1 << 14
BULK = 20 * PIECE


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A stand-in that the client in this process takes for the Hub."""
    with StandInHub() as hub:
        be_new(monkeypatch, tmp_path)
        ask(monkeypatch, hub.address)
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", PIECE)
        yield hub


@pytest.fixture
def house(tmp_path):
    with House(tmp_path) as house:
        yield house


@pytest.fixture
def content(tmp_path):
    """Makes the bytes of a file of rollouts in the format that its name says."""

    def make(name, *rows):
        path = write(tmp_path / "made" / name, *rows)
        return path.read_bytes()

    return make


@pytest.fixture
def parquet(content):
    """Makes the bytes of a Parquet file of one document; ``bulk`` is a column nobody needs."""

    def make(doc_id, **changes):
        bulk = os.urandom(BULK)
        return content(f"{doc_id}.parquet", row(doc_id=doc_id, bulk=bulk, **changes))

    return make


def refusal(house, *names, **mapping):
    """Why the command is refused."""
    with pytest.raises(FileError) as caught:
        house.land(*names, **mapping)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def documents(house):
    return [doc_id for (doc_id,) in house.query("select doc_id from rollouts order by all")]


def downloads(house):
    """The files under way."""
    return sorted((house.folder / "downloads").glob("*"))


def sizes(hub):
    """Where each download began, and how many bytes were sent."""
    return [(request.range, request.n_sent) for request in hub.asked("content")]


# What lands ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_a_file_of_a_data_set_lands(hub, house, content, suffix):
    data = content(f"a{suffix}", row())
    commit = hub.create("owner/rollouts").commit({f"a{suffix}": data, "README.md": b"x"})
    assert house.land(NAME) == Landed(rollouts=1, added=1)
    assert house.rollouts() == [tuple(row().values())]
    ((source_hash, kind, name, n_rows, details),) = house.query(
        "select source_hash, kind, name, n_rows, details from rollout_sources"
    )
    assert source_hash == hashlib.sha256(data).hexdigest()
    assert (kind, n_rows) == ("hub", 1)
    assert name == f"hf://datasets/owner/rollouts@{commit}/a{suffix}"
    assert json.loads(details) == {"revision": "main", "endpoint": hub.address}
    assert house.query("select distinct source_hash from rollouts") == [(source_hash,)]


def test_compressed_files_land_beside_plain_ones_and_what_is_not_read_is_named(
    hub, house, content, capsys
):
    rows = {name: content(f"{name}.jsonl", row(doc_id=name)) for name in "abc"}
    hub.create("owner/rollouts").commit(
        {
            "data/a.jsonl": rows["a"],
            "data/b.jsonl.gz": gzip.compress(rows["b"]),
            "data/c.jsonl.zst": pyarrow.compress(rows["c"], "zstd", asbytes=True),
            "data/d.csv": b"doc_id\n",
            "data/e.json": b"{}",
            "data/f.jsonl.xz": b"",
            "notes.txt": b"",
        }
    )
    with pytest.raises(FileError, match=r"d\.csv, row 1: no column"):
        house.land(f"{NAME}/data")
    assert documents(house) == ["a", "b", "c"]
    said = capsys.readouterr().out
    assert "not Parquet, JSONL or CSV, so not read: data/e.json, data/f.jsonl.xz\n" in said
    assert "notes.txt" not in said


def test_a_file_without_rows_keeps_no_other_from_landing(hub, house, content):
    empty = content("a.csv", row()).splitlines()[0]
    hub.create("owner/rollouts").commit({"a.csv": empty, "b.jsonl": content("b.jsonl", row())})
    assert house.land(NAME) == Landed(rollouts=1, added=1)


def test_a_landed_file_is_not_kept(hub, house, parquet):
    hub.create("owner/rollouts").commit({"a.parquet": parquet("a")})
    house.land(NAME)
    assert downloads(house) == []
    assert not (house.folder / "cache").exists()


def test_a_file_that_landed_is_not_downloaded_again(hub, house, parquet):
    hub.create("owner/rollouts").commit({"a.parquet": parquet("a"), "b.parquet": parquet("b")})
    house.land(f"{NAME}/a.parquet")
    before = len(sizes(hub))
    assert house.land(NAME) == Landed(rollouts=1, added=1, known_files=1)
    assert house.land(NAME) == Landed(known_files=2)
    assert len(sizes(hub)) == before + 1
    assert documents(house) == ["a", "b"]


def test_a_small_file_that_landed_is_not_downloaded_again(hub, house, content):
    hub.create("owner/rollouts").commit({"a.jsonl": content("a.jsonl", row())})
    house.land(NAME)
    assert house.land(NAME) == Landed(known_files=1)
    assert len(hub.asked("resolve")) == 0 and len(sizes(hub)) == 1


def test_the_same_bytes_at_another_commit_are_not_downloaded_again(hub, house, parquet):
    repository, data = hub.create("owner/rollouts"), parquet("a")
    repository.commit({"a.parquet": data})
    house.land(NAME)
    repository.commit({"renamed.parquet": data, "b.parquet": parquet("b")})
    assert house.land(NAME) == Landed(rollouts=1, added=1, known_files=1)


def test_a_file_that_landed_with_another_mapping_is_read_again(hub, house, parquet):
    hub.create("owner/rollouts").commit({"a.parquet": parquet("a", second=" another", other_idx=1)})
    house.land(NAME)
    twice = {"columns": {"continuation": "second", "continuation_idx": "other_idx"}}
    assert house.land(NAME, **twice) == Landed(rollouts=1, added=1)
    assert [rollout[-1] for rollout in house.rollouts()] == [" there was a fox.", " another"]


def test_a_mapping_is_recorded(hub, house, parquet):
    hub.create("owner/rollouts").commit({"a.parquet": parquet("a", id="mapped")})
    house.land(NAME, columns={"doc_id": "id"}, constants={"min_p": "0.5"})
    ((details,),) = house.query("select details from rollout_sources")
    assert json.loads(details)["columns"] == {"doc_id": "id"}
    assert json.loads(details)["constants"] == {"min_p": "0.5"}
    assert documents(house) == ["mapped"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", ["a", "b", "c", "d"]),
        ("/data/a.parquet", ["a"]),
        ("/data", ["a", "b", "c"]),
        ("/data/", ["a", "b", "c"]),
        ("/data/*.parquet", ["a", "b", "c"]),
        ("/data/?.parquet", ["a", "b"]),
        ("/data/[ac].parquet", ["a"]),
        ("/*/c.parquet", ["c"]),
        ("/data/deep/[c].parquet", ["d"]),
    ],
)
def test_a_path_is_a_file_a_folder_or_a_pattern(hub, house, content, path, found):
    paths = {
        "a": "data/a.parquet",
        "b": "data/b.parquet",
        "c": "data/deep/c.parquet",
        "d": "data/deep/[c].parquet" if "[c]" in path else "d.parquet",
    }
    hub.create("owner/rollouts").commit(
        {path: content(f"{doc_id}.parquet", row(doc_id=doc_id)) for doc_id, path in paths.items()}
        | {"data/notes.txt": b"no rollouts"}
    )
    house.land(NAME + path)
    assert documents(house) == found


def test_a_list_of_many_pages_is_read_whole(hub, house, content):
    hub.files_on_a_page = 2
    names = ["a", "b", "c", "d", "e"]
    hub.create("owner/rollouts").commit(
        {f"{name}.jsonl": content(f"{name}.jsonl", row(doc_id=name)) for name in names}
    )
    house.land(NAME)
    assert documents(house) == names
    assert len(hub.asked("tree")) == 3


@pytest.mark.parametrize("asked", ["branch", "refs/pr/1", "sha", "short"])
def test_a_revision_may_be_asked_for(hub, house, content, asked):
    repository = hub.create("owner/rollouts")
    branch = asked if "/" in asked else "branch"
    sha = repository.commit({"a.jsonl": content("a.jsonl", row(doc_id="a"))}, branch)
    repository.commit({"b.jsonl": content("b.jsonl", row(doc_id="b"))})
    revision = {"sha": sha, "short": sha[:8]}.get(asked, asked)
    house.land(f"{NAME}@{revision}/a.jsonl")
    assert documents(house) == ["a"]
    ((name, details),) = house.query("select name, details from rollout_sources")
    assert name == f"{NAME}@{sha}/a.jsonl"
    assert json.loads(details)["revision"] == revision


def test_a_revision_is_resolved_once(hub, house, content, monkeypatch):
    repository = hub.create("owner/rollouts")
    first = repository.commit(
        {f"{name}.jsonl": content(f"{name}.jsonl", row(doc_id=name)) for name in "ab"}
    )
    land = rollout_files.land_together

    def commit_meanwhile(*arguments):
        repository.commit({"a.jsonl": b"other", "b.jsonl": b"other"})
        return land(*arguments)

    monkeypatch.setattr("latent_probes.rollout_files.hub_files.land_together", commit_meanwhile)
    house.land(f"{NAME}/a.jsonl", f"{NAME}/b.jsonl", f"{NAME}/*.jsonl")
    assert len(hub.asked("info")) == 1
    assert house.query("select name from rollout_sources order by all") == [
        (f"{NAME}@{first}/a.jsonl",),
        (f"{NAME}@{first}/b.jsonl",),
    ]


def test_files_of_this_machine_and_of_the_hub_land_in_one_command(hub, house, content):
    hub.create("owner/rollouts").commit({"a.jsonl": content("a.jsonl", row(doc_id="a"))})
    local = write(house.folder / "b.jsonl", row(doc_id="b"))
    assert house.land(local, NAME) == Landed(rollouts=2, added=2)
    assert house.query("select kind from rollout_sources order by all") == [("file",), ("hub",)]


def test_a_file_in_the_clients_cache_is_read_there_and_stays(hub, house, parquet):
    commit = hub.create("owner/rollouts").commit({"a.parquet": parquet("a")})
    cached = hf_hub_download("owner/rollouts", "a.parquet", repo_type="dataset", revision=commit)
    before = len(sizes(hub))
    house.land(NAME)
    assert documents(house) == ["a"]
    assert len(sizes(hub)) == before
    assert Path(cached).exists()


def test_a_damaged_file_in_the_clients_cache_is_not_believed(hub, house, parquet):
    commit = hub.create("owner/rollouts").commit({"a.parquet": parquet("a")})
    cached = hf_hub_download("owner/rollouts", "a.parquet", repo_type="dataset", revision=commit)
    Path(cached).write_bytes(b"damaged")
    house.land(NAME)
    assert documents(house) == ["a"]
    assert Path(cached).read_bytes() == b"damaged"


def test_a_private_data_set_lands_with_a_token_that_only_the_hub_sees(
    hub, house, parquet, monkeypatch
):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    hub.create("owner/rollouts", is_private=True).commit({"a.parquet": parquet("a")})
    house.land(NAME)
    assert documents(house) == ["a"]
    assert all(request.has_token for request in hub.asked("resolve") + hub.asked("tree"))
    assert not any(request.has_token for request in hub.asked("content"))
    house.connection.execute("checkpoint")
    landed = house.path.read_bytes() + str(house.state()).encode()
    assert hub.token.encode() not in landed


def test_a_password_in_the_address_of_the_hub_is_never_shown(hub, house, parquet, monkeypatch):
    ask(monkeypatch, hub.address.replace("//", "//user:secret@"))
    hub.create("owner/rollouts").commit({"a.parquet": parquet("a")})
    house.land(NAME)
    ((details,),) = house.query("select details from rollout_sources")
    assert json.loads(details)["endpoint"] == hub.address
    hub.close()
    said = refusal(house, NAME)
    assert hub.address in said and "secret" not in said


# What breaks off -------------------------------------------------------------------------------


def test_a_reset_in_a_download_goes_on_where_it_was(hub, house, parquet):
    data = parquet("a")
    hub.create("owner/rollouts").commit({"a.parquet": data})
    hub.plan("reset", at="content", after=5 * PIECE)
    house.land(NAME)
    assert documents(house) == ["a"]
    assert sizes(hub) == [
        (None, 5 * PIECE),
        (f"bytes={5 * PIECE}-", len(data) - 5 * PIECE),
    ]


def test_a_download_that_broke_off_goes_on_in_the_next_run(hub, house, parquet):
    data = parquet("b")
    hub.create("owner/rollouts").commit({"a.parquet": parquet("a"), "b.parquet": data})
    hub.plan("reset", at="content", after=5 * PIECE, path="b.parquet")
    hub.plan("status", at="content", path="b.parquet")
    said = refusal(house, NAME)
    assert "b.parquet: the Hub returned status 503; run again later" in said
    assert "1 of 2 Hub files have landed; rerun the same command to continue" in said
    assert documents(house) == ["a"]
    assert [path.stat().st_size for path in downloads(house)] == [5 * PIECE]
    assert house.land(NAME) == Landed(rollouts=1, added=1, known_files=1)
    assert sizes(hub)[-1] == (f"bytes={5 * PIECE}-", len(data) - 5 * PIECE)
    assert downloads(house) == []


def test_a_download_without_ranges_starts_again(hub, house, parquet):
    data = parquet("a")
    hub.create("owner/rollouts").commit({"a.parquet": data})
    hub.plan("reset", at="content", after=5 * PIECE)
    hub.plan("no ranges", at="content")
    house.land(NAME)
    assert sizes(hub)[-1] == (f"bytes={5 * PIECE}-", len(data))
    assert documents(house) == ["a"]


def test_what_is_already_downloaded_is_not_downloaded_again(hub, house, parquet):
    hub.create("owner/rollouts").commit({"a.parquet": parquet("a", doc_source="")})
    assert "row 1: source_model, doc_id or doc_source is empty" in refusal(house, NAME)
    assert len(downloads(house)) == 1
    house.land(NAME, constants={"doc_source": "web"})
    assert len(sizes(hub)) == 1
    assert documents(house) == ["a"]


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_other_bytes_than_are_listed_never_land(hub, house, content, name):
    hub.create("owner/rollouts").commit({name: content(name, row())})
    hub.plan("other bytes", at="content")
    assert f"{name}: downloaded file does not match the Hub's hash" in refusal(house, NAME)
    assert house.state() == downloads(house) == []
    house.land(NAME)
    assert len(house.rollouts()) == 1


def test_a_damaged_part_of_a_download_never_lands(hub, house, parquet):
    hub.create("owner/rollouts").commit({"a.parquet": parquet("a")})
    hub.plan("reset", at="content", after=5 * PIECE)
    hub.plan("status", at="content")
    refusal(house, NAME)
    (part,) = downloads(house)
    part.write_bytes(part.read_bytes()[::-1])
    assert "downloaded file does not match the Hub's hash" in refusal(house, NAME)
    house.land(NAME)
    assert documents(house) == ["a"]


@pytest.mark.parametrize("wrong", [-1, 1])
def test_a_file_of_another_length_than_is_listed_lands_if_its_hash_is_right(
    hub, house, parquet, monkeypatch, wrong
):
    data = parquet("a")
    listed = File("a.parquet", data).as_json() | {"size": len(data) + wrong}
    hub.create("owner/rollouts").commit({"a.parquet": data})
    monkeypatch.setattr(File, "as_json", lambda self: listed)
    house.land(NAME)
    assert documents(house) == ["a"]
    assert len(sizes(hub)) <= 3


def test_a_fault_in_a_file_leaves_it_out_and_keeps_those_before(hub, house, content):
    hub.create("owner/rollouts").commit(
        {
            "a.jsonl": content("a.jsonl", row(doc_id="a")),
            "b.jsonl": content("b.jsonl", row(doc_id="b"), row(doc_id="b", prefix=None)),
            "c.jsonl": content("c.jsonl", row(doc_id="c")),
        }
    )
    said = refusal(house, NAME)
    assert re.search(r"@[0-9a-f]{40}/b.jsonl, row 2: prefix is null; fix or drop the row", said)
    assert "(1 of 3 Hub files have landed" in said
    assert documents(house) == ["a"]


def test_a_file_that_contradicts_what_landed_is_refused(hub, house, content):
    house.land(write(house.folder / "local.jsonl", row()))
    hub.create("owner/rollouts").commit(
        {"a.parquet": content("a.parquet", row(continuation="another"))}
    )
    before = house.state()
    assert "a.parquet, row 1: key" in refusal(house, NAME)
    assert house.state() == before


def test_a_file_that_cannot_be_read_is_named_by_its_address(hub, house):
    hub.create("owner/rollouts").commit({"a.parquet": b"PAR1 no more", "b.jsonl": b"{"})
    assert re.search(r"@\w+/a.parquet: cannot be read", refusal(house, f"{NAME}/a.parquet"))
    assert re.search(r"@\w+/b.jsonl, row 1: not JSON", refusal(house, f"{NAME}/b.jsonl"))


# What is refused -------------------------------------------------------------------------------


def test_what_the_hub_does_not_have_is_found_before_anything_lands(hub, house, content):
    hub.create("owner/rollouts").commit({"a.jsonl": content("a.jsonl", row())})
    local = write(house.folder / "local.jsonl", row(doc_id="local"))
    assert "no such data set" in refusal(house, local, NAME, "hf://datasets/owner/nowhere")
    assert house.state() == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (f"{NAME}@nowhere", "no such revision in this data set; check what follows the @"),
        (f"{NAME}@{'0' * 40}", "no such revision"),
        (
            f"{NAME}/b.jsonl",
            "no matching Parquet, JSONL or CSV file (found: a.jsonl); check the path",
        ),
        (f"{NAME}/data/*.parquet", "no matching Parquet, JSONL or CSV file (found: a.jsonl)"),
        (f"{NAME}/.parquet", "cannot tell the format"),
        (f"{NAME}/README.md", "cannot tell the format; name the file .parquet"),
        ("hf://datasets/owner/nowhere", "no such data set, or it is private; check the name, or"),
        ("hf://datasets/owner", "Repository id must be 'namespace/name'"),
        ("hf://datasets/owner/a b", "Repo id must use alphanumeric"),
        ("hf://owner/rollouts", "not a data set; write hf://datasets/OWNER/NAME"),
        ("hf://", "Empty body"),
    ],
)
def test_an_address_of_nothing_is_refused_with_the_remedy(hub, house, content, address, said):
    hub.create("owner/rollouts").commit(
        {"a.jsonl": content("a.jsonl", row()), "README.md": b"", ".parquet": b""}
    )
    assert said in refusal(house, address)


def test_an_empty_data_set_is_refused(hub, house):
    hub.create("owner/rollouts").commit({"README.md": b""})
    assert "(found: none)" in refusal(house, NAME)


@pytest.mark.parametrize("token", [None, "right", "wrong"])
def test_a_private_data_set_of_others_is_refused(hub, house, monkeypatch, token):
    if token:
        monkeypatch.setenv("HF_TOKEN", hub.token if token == "right" else "hf_wrong")
    hub.create("owner/hidden", is_private=True).commit({"a.jsonl": b""})
    name = "owner/nowhere" if token == "right" else "owner/hidden"
    said = refusal(house, f"hf://datasets/{name}")
    assert {
        None: "or it is private; check the name, or give a token (HF_TOKEN or",
        "right": "or a private one that the token cannot read",
        "wrong": "the Hub does not accept the token; give a valid one",
    }[token] in said
    assert "hf_" not in said


@pytest.mark.parametrize("has_token", [False, True])
def test_a_gated_data_set_is_refused(hub, house, parquet, monkeypatch, has_token):
    if has_token:
        monkeypatch.setenv("HF_TOKEN", hub.token)
    hub.create("owner/rollouts", is_gated=True).commit({"a.parquet": parquet("a")})
    said = refusal(house, NAME)
    assert "the data set is gated; request access on its page" in said
    assert ("give your token" in said) is not has_token


@pytest.mark.parametrize("at", ["info", "tree", "resolve", "content"])
@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "the token has no permission to read this"),
        (418, "the Hub returned status 418"),
        (429, "too many requests; wait a few minutes"),
        (503, "the Hub returned status 503; run again later"),
    ],
)
def test_an_answer_that_stays_wrong_is_refused(hub, house, parquet, monkeypatch, at, status, said):
    # The client waits between its trials.
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    hub.create("owner/rollouts").commit({"a.parquet": parquet("a")})
    hub.plan("status", at=at, status=status, times=None)
    assert said in refusal(house, NAME)
    assert len(hub.asked(at)) <= 6
    assert house.state() == []


@pytest.mark.parametrize("at", ["info", "tree", "resolve"])
def test_a_connection_that_is_always_reset_is_refused(hub, house, parquet, monkeypatch, at):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    hub.create("owner/rollouts").commit({"a.parquet": parquet("a")})
    hub.plan("reset", at=at, times=None)
    assert f"the connection to {hub.address} failed" in refusal(house, NAME)


def test_a_hub_that_is_not_there_is_refused(hub, house):
    hub.close()
    said = refusal(house, NAME)
    assert re.search(rf"the connection to {hub.address} failed \(.*refused\); check the", said)


def test_a_client_that_is_offline_is_told_so(hub, house, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set; unset it" in refusal(house, NAME)


@pytest.mark.parametrize("at", ["info", "tree"])
def test_a_server_that_is_not_a_hub_is_refused(hub, house, parquet, at):
    hub.create("owner/rollouts").commit({"a.parquet": parquet("a")})
    hub.plan("no Hub", at=at)
    assert f"{hub.address} does not look like a Hugging Face Hub" in refusal(house, NAME)


@pytest.mark.parametrize("path", ["../../escaped.jsonl", "/absolute.jsonl", "a/../b.jsonl"])
def test_a_path_that_leads_out_is_refused(hub, house, content, path):
    hub.create("owner/rollouts").commit({path: content("a.jsonl", row())})
    assert "Invalid filename" in refusal(house, NAME)
    assert sizes(hub) == downloads(house) == []


def test_half_a_character_in_a_path_is_refused(hub, house, content):
    repository = hub.create("owner/rollouts")
    commit = repository.commits[repository.commit({})]
    commit.files["\ud800.jsonl"] = File("\ud800.jsonl", content("a.jsonl", row()))
    assert "does not look like a Hugging Face Hub endpoint" in refusal(house, NAME)


# As a person runs it ---------------------------------------------------------------------------


@pytest.fixture
def person(tmp_path):
    """Somebody in a checkout who reads from the stand-in, in processes of their own."""
    with StandInHub() as hub:
        shutil.copy2(ROOT / "dbt_project.yml", tmp_path)
        shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
        yield Checkout(tmp_path).reading_from(hub), hub


def test_a_command_says_how_far_it_is_and_nothing_else(person, content):
    checkout, hub = person
    commit = hub.create("owner/rollouts").commit(
        {f"{name}.parquet": content(f"{name}.parquet", row(doc_id=name)) for name in "ab"}
    )
    assert checkout.runs("latent-probes", "land", NAME).splitlines() == [
        f"{NAME}@{commit}/a.parquet: landed 1 of 1 rollouts",
        f"{NAME}@{commit}/b.parquet: landed 1 of 1 rollouts",
        "landed 2 of 2 rollouts",
    ]
    assert checkout.runs("latent-probes", "land", NAME).splitlines() == [
        "Hub files that had already landed: 2",
        "landed 0 of 0 rollouts",
    ]


def test_an_error_is_one_line_without_control_characters(person):
    checkout, hub = person
    hub.create("owner/rollouts").commit({"\x1b[31m.jsonl": b"{}\n"})
    said = checkout.fails("latent-probes", "land", NAME)
    assert re.fullmatch(r"error: .*@\w{40}/\N{REPLACEMENT CHARACTER}\[31m.jsonl, row 1.*\n", said)


def test_a_killed_command_goes_on_where_it_was(person, content):
    checkout, hub = person
    piece = 10 << 20
    data = content("a.parquet", row(bulk=os.urandom(int(2.5 * piece))))
    hub.create("owner/rollouts").commit({"a.parquet": data})
    hub.plan("hang", at="content", after=2 * piece)
    process = checkout.start("latent-probes", "land", NAME)
    deadline = time.monotonic() + 30
    while sum(path.stat().st_size for path in checkout.home.glob("downloads/*")) < 2 * piece:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert "landed 1 of 1 rollouts" in checkout.runs("latent-probes", "land", NAME)
    assert sizes(hub)[-1] == (f"bytes={2 * piece}-", len(data) - 2 * piece)
    assert checkout.query("select doc_id from rollouts", "landing") == [("doc-1",)]


def test_an_interrupted_command_says_that_it_goes_on(person, parquet):
    checkout, hub = person
    hub.create("owner/rollouts").commit({"a.parquet": parquet("a")})
    hub.plan("hang", at="content", after=PIECE)
    process = checkout.start("latent-probes", "land", NAME)
    deadline = time.monotonic() + 30
    while not hub.asked("content"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted: landed data is kept; rerun the same command to continue" in output


def test_a_terminal_shows_a_bar(person, parquet):
    checkout, hub = person
    hub.create("owner/rollouts").commit({"a.parquet": parquet("a")})
    shown, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    process = checkout.start("latent-probes", "land", NAME, stderr=terminal)
    process.communicate(timeout=30)
    os.close(terminal)
    assert re.search(rb"a\.parquet: +\d+%", os.read(shown, 1 << 16))
