"""Builds on Ray give what one machine gives, byte for byte, also where tasks are killed."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow
import pytest
from conftest import Checkout, copy_of
from test_whole_runs import files_of

from latent_probes import cluster, landing
from latent_probes.cluster import engines, parts, slices
from latent_probes.common.home import Home
from latent_probes.common.storage import Storage
from latent_probes.evaluation import oracles
from latent_probes.publication import made_elsewhere
from latent_probes.warehouse import functions

MISSING = "the extra cluster is not installed"
ray = pytest.importorskip("ray", reason=MISSING)
ThreadedMotoServer = pytest.importorskip("moto.server", reason=MISSING).ThreadedMotoServer
pytestmark = pytest.mark.cluster

BUCKET = "s3://probes/home"


@pytest.fixture(scope="module", autouse=True)
def ray_here():
    """Ray on two CPUs of this machine, whose tasks reach an object store here."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        # Its address is one of this machine.
        "NO_PROXY": host,
        "RAY_raylet_start_wait_time_s": "300",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()
        server.stop()


@pytest.fixture(scope="module")
def two_rounds(demo_once, tmp_path_factory) -> Checkout:
    """The demo with a second round, a method's answers and an export. Not to be changed."""
    made = copy_of(demo_once, tmp_path_factory.mktemp("two") / "checkout")
    made.add_round("2,3,2,gemma-3-270m,-2,5,lexical,lexical,lexical,false")
    here = home_of(made)
    made.runs("latent-probes", "run", "--provider", "lexical")
    # Methods answer what is published.
    made.runs("latent-probes", "export")
    oracles.land_baseline_answers(here, "lexical", "no_state")
    made.runs("latent-probes", "export")
    return made


@pytest.fixture
def unbuilt(two_rounds, tmp_path) -> Checkout:
    """The same without the warehouse and the export."""
    made = copy_of(two_rounds, tmp_path / "checkout")
    for name in ("warehouse.duckdb", "warehouse.json", "export.json"):
        (made.home / name).unlink()
    for path in (made.home / "export").rglob("*.*"):
        path.unlink()
    return made


def home_of(checkout: Checkout) -> Home:
    return Home(checkout.folder, checkout.home)


def different_tables(one: Checkout, other: Checkout) -> list[str]:
    """The tables and views of a checkout's warehouse that are others in that of the other."""
    with duckdb.connect(str(one.home / "warehouse.duckdb"), read_only=True) as connection:
        functions.register(connection)
        connection.execute(f"attach '{one.home / 'landing.duckdb'}' as landing (read_only)")
        connection.execute(f"attach '{other.home / 'warehouse.duckdb'}' as other (read_only)")
        described = "select table_name, list((column_name, data_type) order by column_index) from "
        described += "duckdb_columns() where database_name = '{}' and not internal group by all"
        names, others = (
            dict(connection.execute(described.format(database)).fetchall())
            for database in ("warehouse", "other")
        )
        found = [name for name in names | others if names.get(name) != others.get(name)]
        tables = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'other' order by all"
        ).fetchall()
        for (name,) in tables:
            rows = f"(select {rounded(name)} from {{}}.main.{name})"
            here, there = rows.format("warehouse"), rows.format("other")
            ((n,),) = connection.execute(
                f"select count(*) from (({here} except all {there}) "
                f"union all ({there} except all {here}))"
            ).fetchall()
            found += [name] if n else []
    return found


def rounded(table: str) -> str:
    """The columns to compare. Sums of doubles depend on the order: the last of six digits, too."""
    return "* replace (round(auc, 5) as auc)" if table == "contrast" else "*"


def digests(checkout: Checkout) -> dict[str, str]:
    """The hash of each file of each part in the home's storage."""
    return {
        name: digest
        for name, digest in files_of(checkout.home / "cluster" / "parts").items()
        if not name.endswith(parts.DONE)
    }


def test_the_command_builds_what_one_machine_builds_and_exports_the_same_bytes(
    unbuilt, two_rounds, tmp_path
):
    command = Path(sys.executable).with_name("latent-probes")
    address = ray.get_runtime_context().gcs_address
    process = unbuilt.start(str(command), "build", "--on", "ray", "--address", address)
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    assert different_tables(unbuilt, two_rounds) == []
    unbuilt.runs("latent-probes", "export")
    assert files_of(unbuilt.home / "export") == files_of(two_rounds.home / "export")
    # What tasks had written was copied.
    made = made_elsewhere.MadeElsewhere(home_of(unbuilt))
    assert made.copy(Path("data/train-round-0002.parquet"), tmp_path / "copy.parquet")


def test_killed_tasks_are_run_again_and_give_the_same_bytes(
    unbuilt, two_rounds, tmp_path, monkeypatch
):
    monkeypatch.setattr(slices, "PREFIXES_A_PART", 8)
    undisturbed = copy_of(unbuilt, tmp_path / "undisturbed")
    with engines.on_ray(None) as run:
        cluster.build(home_of(undisturbed), run, str(undisturbed.home / "cluster"))
        with killing_tasks(2) as killed:
            cluster.build(home_of(unbuilt), run, str(unbuilt.home / "cluster"))
    assert len(killed) == 2
    assert len({name.split("/")[0] for name in digests(unbuilt)}) == 4 + 2 * 2
    assert digests(unbuilt) == digests(undisturbed)
    assert different_tables(unbuilt, two_rounds) == []


@contextmanager
def killing_tasks(n: int):
    """Kill so many processes, each while it carries out an order; yields those that were."""
    killed: list[str] = []
    ended = threading.Event()

    def kill() -> None:
        while len(killed) < n and not ended.wait(0.05):
            for process in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    if process.name in killed:
                        continue
                    if (process / "cmdline").read_bytes().startswith(b"ray::build_part"):
                        time.sleep(0.3)
                        os.kill(int(process.name), signal.SIGKILL)
                        killed.append(process.name)
                        break

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        ended.set()
        thread.join()


def test_storage_can_be_an_object_store_and_only_changed_parts_are_made(unbuilt, two_rounds):
    here = home_of(unbuilt)
    Storage(BUCKET).files.mkdir("probes")
    with engines.on_ray(None) as run:
        cluster.build(here, run, BUCKET)
    assert different_tables(unbuilt, two_rounds) == []
    assert Storage(BUCKET).folders("slices") == []

    # More answers about the probes of one round.
    with landing.opened(here.landing) as connection:
        connection.execute(f"attach '{here.warehouse}' as warehouse (read_only)")
        connection.execute(
            "insert into oracle_answers select * replace ('other' as oracle) from oracle_answers "
            "where probe_id in (select probe_id from warehouse.probes where round_number = 2)"
        )
        connection.execute("detach warehouse")
    carried_out: list[str] = []

    def in_arrow(orders: list[str]):
        """Carry out orders in this process, as a function of Spark."""
        carried_out.extend(json.loads(order)["name"] for order in orders)
        batch = pyarrow.RecordBatch.from_pydict({"task": pyarrow.array(orders, pyarrow.string())})
        for receipts in parts.build_in_arrow(iter([batch])):
            yield from receipts.column("receipt").to_pylist()

    cluster.build(here, in_arrow, BUCKET)
    assert carried_out == ["round-0002"]
    again = copy_of(unbuilt, unbuilt.folder.parent / "again")
    (again.home / "warehouse.duckdb").unlink()
    again.runs("latent-probes", "build")
    assert different_tables(unbuilt, again) == []
