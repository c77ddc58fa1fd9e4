"""Whatever happens during a push, the data set on the Hub is the old one or the new one."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import time
from pathlib import Path

import duckdb
import huggingface_hub
import pytest
import yaml
from conftest import Checkout
from hub_client import ask, be_new
from huggingface_hub import constants
from stand_in_hub import StandInHub

from latent_probes import publication, pushing, warehouse
from latent_probes.common.home import Home
from latent_probes.explorer import page
from latent_probes.pushing import Place, PushError, leaks

NAME = "owner/probes"
PLACE = Place(NAME, "dataset")
SPACE = Place(NAME, "space")
LARGEST = "data/train-round-0001.parquet"
search_for_leaks = leaks.refuse


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A stand-in that the client in this process takes for the Hub, without waiting for it."""
    with StandInHub() as hub:
        be_new(monkeypatch, tmp_path)
        ask(monkeypatch, hub.address)
        monkeypatch.setenv("HF_TOKEN", hub.token)
        # The stand-in has the older of the Hub's two stores.
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(huggingface_hub.utils._http.time, "sleep", lambda seconds: None)
        # Half of the time of a push. What it finds: `test_leaks.py`.
        monkeypatch.setattr(leaks, "refuse", lambda *_: None)
        yield hub


@pytest.fixture
def home(finished) -> Home:
    """A home with an export, to be changed."""
    return Home(finished.folder, finished.home)


def push(home, **options):
    """Push, with the baseline allowed unless the test says otherwise."""
    place = options.pop("place", PLACE)
    pushing.push(home, place, **({"dry_run": False, "allow_baseline": True} | options))


def contents(folder: Path) -> dict[str, bytes]:
    """The files of an export."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def there(hub) -> dict[str, bytes]:
    """The files of the data set, but for those that the Hub itself puts there."""
    commit = hub.repositories[NAME].at("main")
    return {path: file.content for path, file in commit.files.items() if path != ".gitattributes"}


def n_commits(hub) -> int:
    return len(hub.repositories[NAME].commits)


def grown(home: Home, round_number: int = 2) -> None:
    """Let the export have another round, as an export would leave it."""
    first = home.export / LARGEST
    another = first.with_name(f"train-round-{round_number:04d}.parquet")
    duckdb.connect().read_parquet(str(first)).limit(5 + round_number).write_parquet(str(another))
    note(home)


def note(home: Home) -> None:
    """Let the manifest and the stamp say what is in the export's folder."""
    path = home.export / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = [
        {
            "path": name,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for name, content in contents(home.export).items()
        if name not in ("README.md", "manifest.json")
    ]
    path.write_text(json.dumps(manifest))
    home.export_stamp.write_text(json.dumps(publication.stamp(home)))


# What happens when all goes well ---------------------------------------------------------------


def test_a_first_push_makes_the_data_set_in_one_commit(hub, home):
    push(home)
    assert there(hub) == contents(home.export)
    # The first is the Hub's own.
    assert n_commits(hub) == 2
    assert hub.repositories[NAME].is_private


def test_a_data_set_is_public_where_that_is_asked_for(hub, home):
    push(home, is_public=True)
    assert not hub.repositories[NAME].is_private


def test_pushing_the_same_again_sends_nothing(hub, home, capsys):
    push(home)
    received, n_before = hub.received, n_commits(hub)
    push(home)
    assert (hub.received, n_commits(hub)) == (received, n_before)
    assert "nothing to upload" in capsys.readouterr().out


def test_another_round_sends_only_its_own_bytes(hub, home, capsys):
    push(home)
    received = hub.received
    grown(home)
    push(home)
    second = home.export / "data" / "train-round-0002.parquet"
    assert hub.received - received == second.stat().st_size
    assert there(hub) == contents(home.export)
    assert n_commits(hub) == 3
    assert "1 new, 1 changed, 0 deleted" in capsys.readouterr().out


def test_a_withdrawn_round_leaves_and_files_of_others_stay(hub, home):
    grown(home)
    push(home)
    repository = hub.repositories[NAME]
    theirs = {path: file.content for path, file in repository.at("main").files.items()}
    repository.commit(theirs | {"data/notes.parquet": b"theirs", "NOTES.md": b"theirs"})
    (home.export / "data" / "train-round-0002.parquet").unlink()
    note(home)
    push(home, dry_run=True)
    push(home)
    assert there(hub) == contents(home.export) | {
        "data/notes.parquet": b"theirs",
        "NOTES.md": b"theirs",
    }


def test_no_file_is_left_out_for_what_the_data_set_ignores(hub, home):
    hub.create(NAME).commit({".gitignore": b"*.parquet *.sql"})
    push(home, dry_run=True)
    push(home)
    assert there(hub) == contents(home.export) | {".gitignore": b"*.parquet *.sql"}


def test_a_moved_file_does_not_travel(hub, home):
    push(home)
    received = hub.received
    first = home.export / LARGEST
    first.rename(first.with_name("train-round-0007.parquet"))
    note(home)
    push(home)
    assert hub.received == received
    assert there(hub) == contents(home.export)


def test_a_dry_run_sends_nothing_and_shows_the_bytes(hub, home, capsys):
    push(home, dry_run=True)
    assert NAME not in hub.repositories
    assert all(request.method in ("GET", "HEAD") for request in hub.requests)
    n_bytes = sum(map(len, contents(home.export).values()))
    out = capsys.readouterr().out
    assert f"{n_bytes:,} of {n_bytes:,} bytes to upload" in out
    assert "dry run: nothing was uploaded" in out
    push(home)
    grown(home)
    n_requests = len(hub.requests)
    push(home, dry_run=True)
    assert all(request.method in ("GET", "HEAD") for request in hub.requests[n_requests:])
    assert n_commits(hub) == 2


# The page as a Space ---------------------------------------------------------------------------


@pytest.fixture
def paged(home, monkeypatch, tmp_path) -> Home:
    """A home whose export has a page."""
    for folder in (tmp_path / "static", home.export / page.FOLDER):
        folder.mkdir(exist_ok=True)
        for name in page.NAMES:
            (folder / name).write_text(f'<script src="explorer.js"></script>{name}')
    monkeypatch.setattr(page, "STATIC", tmp_path / "static")
    note(home)
    return home


def in_space(hub) -> dict[str, bytes]:
    """The files of the Space."""
    files = hub.repositories[f"spaces/{NAME}"].at("main").files
    return {path: file.content for path, file in files.items() if path != ".gitattributes"}


def test_a_space_has_the_page_at_its_root_and_a_copy_of_the_files(hub, paged):
    push(paged, place=SPACE)
    shown = in_space(hub)
    own = {name: shown.pop(name) for name in ("README.md", "index.html")}
    exported = contents(paged.export)
    exported.pop("README.md")
    assert shown == exported
    header = yaml.safe_load(own["README.md"].decode().split("---")[1])
    assert (header["sdk"], header["app_file"]) == ("static", "index.html")
    assert own["index.html"].startswith(b'<script src="explore/explorer.js">')
    # The data set of the same name is another place.
    assert NAME not in hub.repositories
    assert hub.repositories[f"spaces/{NAME}"].is_private


def test_a_space_is_pushed_as_a_data_set_is(hub, paged, capsys):
    push(paged, place=SPACE, dry_run=True)
    assert not hub.repositories
    hub.plan("reset", at="upload", times=None, path=hash_of(paged, LARGEST))
    with pytest.raises(PushError, match="the connection to"):
        push(paged, place=SPACE)
    # The card is the Hub's own, so the Space is as good as empty.
    assert set(in_space(hub)) == {"README.md"}
    hub.plans.clear()
    push(paged, place=SPACE)
    received, made = hub.received, in_space(hub)
    push(paged, place=SPACE)
    assert "nothing to upload" in capsys.readouterr().out
    assert (hub.received, in_space(hub)) == (received, made)
    hub.repositories[f"spaces/{NAME}"].commit({"index.html": b"somebody's"})
    with pytest.raises(PushError, match="you have not reviewed"):
        push(paged, place=SPACE)


def test_an_export_without_a_page_makes_no_space(hub, home, monkeypatch, tmp_path):
    monkeypatch.setattr(page, "STATIC", tmp_path / "nothing")
    shutil.rmtree(home.export / page.FOLDER, ignore_errors=True)
    note(home)
    with pytest.raises(PushError, match="has no page to publish"):
        push(home, place=SPACE)
    assert not hub.requests


def test_a_space_that_may_not_be_written_is_called_so(hub, paged, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PushError, match="no such Space, or it is private"):
        push(paged, place=SPACE)


# Over what nobody has seen ---------------------------------------------------------------------


def test_a_state_that_was_not_seen_is_not_overwritten(hub, home):
    push(home)
    repository = hub.repositories[NAME]
    repository.commit({"README.md": b"somebody's"})
    grown(home)
    with pytest.raises(PushError, match="you have not reviewed"):
        push(home)
    assert there(hub) == {"README.md": b"somebody's"}
    push(home, dry_run=True)
    push(home)
    assert there(hub) == contents(home.export)


def test_a_data_set_of_somebody_else_is_not_overwritten(hub, home):
    hub.create(NAME).commit({"README.md": b"somebody's", "data/a.parquet": b"theirs"})
    with pytest.raises(PushError, match="you have not reviewed"):
        push(home)
    push(home, dry_run=True)
    push(home)
    # Nothing of theirs was in a manifest of ours.
    assert there(hub) == contents(home.export) | {"data/a.parquet": b"theirs"}


def test_a_commit_in_the_last_moment_is_not_overwritten(hub, home):
    push(home)
    grown(home)
    hub.before_commit = lambda repository: repository.commit({"README.md": b"somebody's"})
    with pytest.raises(PushError, match="another user changed it in the meantime"):
        push(home)
    assert there(hub) == {"README.md": b"somebody's"}


def test_what_a_strange_manifest_names_is_not_deleted(hub, home):
    paths = ("/etc/passwd", "../a.parquet", ".gitattributes", ".hidden/a", 7, None, "")
    named = [{"path": path, "bytes": 1, "sha256": "0"} for path in paths]
    manifest = json.dumps({"files": named}).encode()
    files = {".gitattributes": b"a", "manifest.json": manifest, "README.md": b"a"}
    hub.create(NAME).commit(files)
    push(home, dry_run=True)
    push(home)
    assert ".gitattributes" in hub.repositories[NAME].at("main").files
    assert there(hub) == contents(home.export)


# When something fails --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "places", "said"),
    [
        ({"status": 403}, ("info", "tree", "preupload", "batch", "upload"), NAME),
        ({"status": 503}, ("info", "tree", "preupload", "batch", "upload"), NAME),
        ({}, ("info", "tree", "preupload", "batch", "commit"), "the connection to"),
    ],
)
def test_a_fault_leaves_the_old_set_and_the_next_push_makes_the_new_one(
    hub, home, status, places, said
):
    push(home)
    for number, place in enumerate(places, start=2):
        before = there(hub)
        grown(home, number)
        hub.plan("status" if status else "reset", at=place, times=None, **status)
        with pytest.raises(PushError, match=said):
            push(home)
        assert there(hub) == before, place
        hub.plans.clear()
        push(home)
        assert there(hub) == contents(home.export), place


def test_a_reset_in_mid_upload_is_gone_on_from(hub, home):
    hub.plan("reset", at="upload", times=None, after=50_000, path=hash_of(home, LARGEST))
    with pytest.raises(PushError, match="the connection to"):
        push(home)
    assert there(hub) == {}
    hub.plans.clear()
    arrived = set(hub.store)
    received = hub.received
    push(home)
    assert there(hub) == contents(home.export)
    missing = {
        name: content
        for name, content in contents(home.export).items()
        if name.endswith(".parquet") and hashlib.sha256(content).hexdigest() not in arrived
    }
    assert LARGEST in missing
    assert hub.received - received == sum(map(len, missing.values()))


def hash_of(home: Home, name: str) -> str:
    return hashlib.sha256((home.export / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("status", [500, 503])
def test_a_commit_that_is_not_heard_of_is_found(hub, home, status):
    push(home)
    grown(home)
    hub.plan("lost", at="commit", status=status)
    with pytest.raises(PushError, match=f"status {status}"):
        push(home)
    assert there(hub) == contents(home.export)
    n_before = n_commits(hub)
    push(home)
    assert n_commits(hub) == n_before
    third = home.export / "data" / "train-round-0003.parquet"
    duckdb.connect().sql("select 1 as a").write_parquet(str(third))
    note(home)
    push(home)
    assert there(hub) == contents(home.export)


def test_a_push_that_was_killed_after_it_made_the_data_set_simply_goes_on(hub, home, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pushing, "commit", killed)
        patch.setattr(pushing.seen, "remember", killed)
        with pytest.raises(KeyboardInterrupt):
            push(home)
    assert set(hub.repositories[NAME].at("main").files) == {".gitattributes"}
    assert not home.pushed.exists()
    push(home)
    assert there(hub) == contents(home.export)


@pytest.mark.parametrize("damage", ["\xff", "[1]", "[" * 100_000])
def test_a_damaged_note_of_what_was_seen_asks_for_a_review_only(hub, home, damage):
    home.pushed.write_bytes(damage.encode("latin-1"))
    hub.create(NAME).commit({"README.md": b"somebody's"})
    with pytest.raises(PushError, match="you have not reviewed"):
        push(home)
    push(home, dry_run=True)
    push(home)
    assert there(hub) == contents(home.export)


def test_a_push_without_a_valid_token_says_so_and_not_the_token(hub, home, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_" + "wrong" * 8)
    with pytest.raises(PushError, match="does not accept the token") as raised:
        push(home)
    assert "wrong" not in str(raised.value)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PushError, match=r"give a token \(HF_TOKEN or"):
        push(home)
    assert NAME not in hub.repositories


def test_who_may_not_write_is_told(hub, home):
    hub.create(NAME, is_read_only=True).commit({"README.md": b"a"})
    push(home, dry_run=True)
    with pytest.raises(PushError, match="the token has no permission to write this"):
        push(home)
    assert there(hub) == {"README.md": b"a"}


def test_a_killed_push_is_gone_on_from(hub, finished: Checkout):
    person = finished.reading_from(hub)
    person.variables.update(HF_TOKEN=hub.token, HF_HUB_DISABLE_XET="1")
    command = ("latent-probes", "push", NAME, "--allow-baseline")
    home = Home(finished.folder, finished.home)
    # The other files arrive; on this one it waits to be sent again, and is killed there.
    hub.plan("status", at="upload", times=None, path=hash_of(home, LARGEST))
    process = person.start(*command)
    while not any(request.status == 503 for request in hub.asked("upload")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert there(hub) == {}
    hub.plans.clear()
    arrived = set(hub.store)
    said = person.runs(*command)
    assert there(hub) == contents(finished.home / "export")
    again = [request for request in hub.asked("upload") if request.status == 200]
    assert len(again) == len({request.path for request in again})
    assert arrived <= set(hub.store)
    assert hub.token not in said


# What may not leave ----------------------------------------------------------------------------


def refused(home: Home, **options) -> str:
    """What a push says that is refused before anything is asked of the Hub."""
    with pytest.raises(PushError) as raised:
        push(home, **options)
    return str(raised.value)


def test_what_the_baseline_made_is_pushed_only_when_asked_for(hub, home):
    assert "--allow-baseline" in refused(home, allow_baseline=False)
    assert not hub.requests


def test_an_export_with_a_key_is_not_pushed(hub, home, monkeypatch):
    with (home.export / "README.md").open("a") as card:
        card.write("hf_" + "aBcD" * 9)
    note(home)
    monkeypatch.setattr(leaks, "refuse", search_for_leaks)
    assert "README.md, line" in refused(home)
    assert not hub.requests


def test_a_folder_without_an_export_is_not_pushed(hub, home):
    shutil.rmtree(home.export)
    assert "there is no export" in refused(home)
    assert not hub.requests


@pytest.mark.parametrize("name", [LARGEST, "README.md", "queries.sql"])
def test_an_export_that_was_changed_by_hand_is_not_pushed(hub, home, name):
    path = home.export / name
    path.write_bytes(path.read_bytes()[:-1] + b"\n\n")
    assert "edited by hand" in refused(home)
    assert not hub.requests


def test_an_export_that_is_older_than_the_warehouse_is_not_pushed(hub, home):
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute("create table news as select 1")
    assert "does not match the current warehouse" in refused(home)
    assert not hub.requests


def test_an_export_of_a_warehouse_that_was_not_tested_since_is_not_pushed(hub, home):
    stamp = json.loads(home.stamp.read_text())
    home.stamp.write_text(json.dumps(stamp | {"tested": False}))
    assert "does not match the current warehouse" in refused(home)


def test_the_state_that_is_compared_holds_landing_warehouse_and_project(home):
    assert set(json.loads(home.export_stamp.read_text())["state"]) == set(warehouse.state(home))
