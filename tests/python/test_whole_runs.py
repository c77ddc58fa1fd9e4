"""Complete runs as a user would do them: landed, asked, killed, resumed and exported."""

from __future__ import annotations

import hashlib
import json
import random
import time
from pathlib import Path

import pytest
from conftest import HOME

from latent_probes import warehouse
from latent_probes.common.home import Home

RUN = ("latent-probes", "run", "--provider", "lexical")
# Files of dbt, and the name of the command that had the lock last.
NOT_RESULTS = ("target", "logs", "run.lock")


def files_of(folder: Path) -> dict[str, str]:
    """The hash of every file below a folder that is a result."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in NOT_RESULTS
    }


def test_doing_everything_again_changes_no_byte(finished):
    before = files_of(finished.home)
    n_requests = finished.query("select count(*) from requests", "landing")
    finished.runs("latent-probes", "land", "sample/rollouts.jsonl")
    finished.runs(*RUN)
    finished.runs("latent-probes", "export")
    assert files_of(finished.home) == before
    assert finished.query("select count(*) from requests", "landing") == n_requests


def test_an_empty_landing_builds_and_passes_every_test(checkout):
    warehouse.build(Home(checkout.folder, checkout.home), tested=True)
    assert checkout.query("select count(*) from train") == [(0,)]
    assert checkout.query("select n_documents from round_status") == [(0,)]


@pytest.mark.soak
def test_the_middle_of_a_run_is_a_state_and_no_failure(checkout):
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    for seen in ("generator", "answerer", "judge"):
        checkout.runs(*RUN, "--once")
        assert checkout.query(
            f"select count(*) > 0 from requests where stage = '{seen}'", "landing"
        ) == [(True,)]
        if seen == "answerer":
            checkout.runs("dbt", "test", "--exclude-resource-type", "unit_test")
            assert "pending" in checkout.fails("latent-probes", "export")
            assert not (checkout.home / "export").exists()
    assert checkout.query(
        "select count(*) > 0 from probe_scores where unscored_reason = 'pending'"
    ) == [(True,)]


def killed_run(checkout, seconds: float) -> bool:
    """Start a run and kill it -9 after a while; whether it was still running."""
    process = checkout.start(*RUN)
    time.sleep(seconds)
    was_running = process.poll() is None
    process.kill()
    process.communicate()
    return was_running


def without_named_fields(manifest: Path) -> dict:
    """A manifest without what may differ between two runs: times and batch ids."""
    read = json.loads(manifest.read_text())
    for line in read["rounds"]:
        del line["batch_ids"], line["submitted_at"]
    return read


def assert_same_export(checkout, undisturbed) -> None:
    """Nothing is lost, nothing twice, and the data is the same to the byte."""
    data = Path(HOME) / "export" / "data"
    assert files_of(checkout.folder / data) == files_of(undisturbed.folder / data)
    for name in ("README.md",):
        path = Path(HOME) / "export" / name
        assert (checkout.folder / path).read_text() == (undisturbed.folder / path).read_text()
    manifest = Path(HOME) / "export" / "manifest.json"
    assert without_named_fields(checkout.folder / manifest) == without_named_fields(
        undisturbed.folder / manifest
    )
    counts = (
        "select stage, count(*), count(distinct request_id) from requests group by all order by 1"
    )
    assert checkout.query(counts, "landing") == undisturbed.query(counts, "landing")
    assert checkout.query("select count(*) from batches where state != 'landed'", "landing") == [
        (0,)
    ]


def kill_and_finish(checkout, undisturbed, n_kills: int, seed: int) -> None:
    """Kill runs at seeded random moments, then let one finish, and compare."""
    moments = random.Random(seed)
    checkout.runs("latent-probes", "land", "sample/rollouts.jsonl")
    for _ in range(n_kills):
        killed_run(checkout, moments.uniform(4, 25))
    checkout.runs(*RUN)
    checkout.runs("latent-probes", "export")
    assert_same_export(checkout, undisturbed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(12))
def test_soak_kills(checkout, finished_once, seed):
    kill_and_finish(checkout, finished_once, n_kills=6, seed=seed)


def test_a_second_run_is_kept_out(finished):
    lock = finished.home / "run.lock"
    from filelock import FileLock

    with FileLock(lock):
        assert "is using" in finished.fails(*RUN)
