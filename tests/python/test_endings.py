"""How commands end: one sentence, and an exit code that scripts can use."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from conftest import ROOT
from landing_house import empty_landing
from typer import BadParameter
from typer.main import get_command

from latent_probes import landing, warehouse
from latent_probes.cli import app, evaluation, failures, rollouts
from latent_probes.common import home, terminal
from latent_probes.common.home import Home, HomeError
from latent_probes.warehouse import builds, plain_sql
from latent_probes.warehouse.compilation import CompiledProject, Node


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (HomeError("use another one"), 1, "use another one"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), 1, "the disk is full: free some"),
        (duckdb.IOException('Could not write file "x": No space left on device'), 1, "the disk is"),
        (
            PermissionError(errno.EACCES, "Permission denied", "a.csv"),
            1,
            "a.csv: Permission denied",
        ),
        (OSError(errno.EROFS, "Read-only file system", "run.lock"), 1, "run.lock: Read-only file"),
        (FileNotFoundError(2, "No such file or directory"), 1, "No such file or directory; check"),
        (MemoryError(), 1, "not enough memory"),
        (duckdb.OutOfMemoryException("Out of Memory Error: 3 GB"), 1, "not enough memory"),
        (
            duckdb.IOException("IO Error: Could not read enough bytes from file x"),
            1,
            "if landing.du",
        ),
        (
            ZeroDivisionError("division\nby zero"),
            70,
            "unexpected ZeroDivisionError: division. This",
        ),
    ],
)
def test_an_error_ends_with_a_sentence_and_a_code(error, code, said):
    found, sentence = failures.explained(error)
    assert found == code
    assert said in sentence
    assert "\n" not in sentence and "Traceback" not in sentence


def test_a_fault_of_the_program_leaves_its_traceback_in_a_file():
    try:
        {}["x"]
    except KeyError as error:
        _, sentence = failures.explained(error)
    path = Path(sentence.rpartition(" ")[2])
    assert "KeyError: 'x'" in path.read_text()
    path.unlink()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A checkout of the project, of which there is only its settings; the current directory."""
    (tmp_path / "dbt_project.yml").write_text((ROOT / "dbt_project.yml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("dbt_project.yml", "it is a file"),
        ("dbt_project.yml/x", "Not a directory"),
        ("a#b", "a path with '#' in it"),
        ("a?b", "a path with '\\?' in it"),
        ("a\\b", "a path with '.+' in it"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_place_that_can_be_no_home_is_refused(place, said, folder, monkeypatch):
    monkeypatch.setenv(home.VARIABLE, place)
    with pytest.raises(HomeError, match=said):
        home.find(is_made=True)
    assert [path.name for path in folder.iterdir()] == ["dbt_project.yml"]


def test_only_what_fills_a_home_makes_it(folder, monkeypatch):
    monkeypatch.setenv(home.VARIABLE, "nope")
    with pytest.raises(HomeError, match="nope', which does not exist: correct it"):
        home.find()
    assert [path.name for path in folder.iterdir()] == ["dbt_project.yml"]
    with pytest.raises(HomeError, match=r"nothing has landed in .*nope: land rollouts"):
        home.refuse_empty(home.find(is_made=True))


def test_an_odd_home_is_a_home(folder, monkeypatch):
    monkeypatch.setenv(home.VARIABLE, "ho'me [1] {2} é")
    assert home.find(is_made=True).folder.is_dir()


@pytest.mark.parametrize("name", ["name: other", "name: 'latent_probes_2'", "models: {}"])
def test_another_dbt_project_is_refused_and_nothing_is_written_there(name, folder):
    (folder / "dbt_project.yml").write_text(f"{name}\nversion: '1'\n")
    with pytest.raises(HomeError, match="is the file of another dbt project"):
        home.find()
    assert [path.name for path in folder.iterdir()] == ["dbt_project.yml"]
    assert home.project_directory() is None


def test_a_current_directory_that_is_gone_is_no_project(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(HomeError, match=r"no dbt_project\.yml in the current directory"):
        home.find()
    assert terminal.from_here("/a/b") == "/a/b"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_characters_that_an_encoding_lacks_are_replaced(encoding):
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding=encoding)
    terminal.forgive(stream)
    stream.write("é █ … 数 ─\n")
    stream.flush()
    assert written.getvalue().decode(encoding).count("?") >= 2


def test_bars_are_ascii_where_the_encoding_is(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(terminal, "console", terminal.Console(file=stream))
    assert terminal.bar(0.5).strip() == "#" * 16


def test_progress_is_reported_while_a_stage_lasts(monkeypatch):
    said = []
    monkeypatch.setattr(terminal, "SECONDS_BETWEEN_LINES", 0.01)
    monkeypatch.setattr(terminal, "say", said.append)
    with terminal.progress("dbt: building", None, "nodes") as advance:
        advance.expect(120)
        advance(31)
        until = time.monotonic() + 60
        while not said and time.monotonic() < until:
            time.sleep(0.01)
    assert said == ["dbt: building: 31 of 120 nodes so far", "dbt: building: 31 nodes"]


@pytest.fixture
def here(tmp_path) -> Home:
    """A home with a landing file."""
    made = Home(tmp_path, tmp_path / "home")
    empty_landing(made.landing)
    return made


def pretend(monkeypatch, outcome, events=()) -> None:
    """Let dbt report these events, and end in this way."""

    class Runner:
        def __init__(self, callbacks, manifest):
            self.callbacks = callbacks

        def invoke(self, arguments):
            for name, data in events:
                for callback in self.callbacks:
                    callback(SimpleNamespace(info=SimpleNamespace(name=name), data=data))
            return outcome() if callable(outcome) else outcome

    monkeypatch.setattr("latent_probes.warehouse.dbt.dbtRunner", Runner)


def compiler(home: Home):
    """What compiles a project; imported here, so that not each worker imports dbt for seconds."""
    from latent_probes.warehouse.dbt import Compiler

    return Compiler(home)


def ended(*results, exception=None):
    """How dbt ended: with results of nodes, or with an exception."""
    return SimpleNamespace(
        success=not results and exception is None, exception=exception, result=results
    )


def result(name, status, message, failures=None):
    """The result of a node."""
    node = SimpleNamespace(name=name, alias=name, original_file_path=f"tests/{name}.sql")
    return SimpleNamespace(node=node, status=status, message=message, failures=failures)


@pytest.fixture
def project(here, monkeypatch) -> Callable[..., None]:
    """A function that lets the project have these nodes, all of them views or tests."""

    def consist(**statements: str) -> None:
        nodes = [
            Node(name, kind, f"{kind}s/{name}.sql", (), statement, failures="count(*)")
            for name, statement in statements.items()
            for kind in (["test"] if name.startswith("no_") else ["view"])
        ]
        made = {node.name: node for node in nodes if node.kind == "view"}
        tests = {node.name: node for node in nodes if node.kind == "test"}
        found = CompiledProject(here.folder, here.folder, made, tests)
        monkeypatch.setattr(builds, "compiled_project", lambda _: found)

    consist()
    return consist


def failing_with(error: duckdb.Error, monkeypatch) -> None:
    """Let every node fail."""

    def fail(*_):
        raise error

    monkeypatch.setattr(plain_sql, "make", fail)


def test_the_tables_of_a_build_are_counted_against_their_total(here, project, monkeypatch, capsys):
    project(a="select 1 as n", b="select 2 as n", c="select 3 as n")
    seen = []
    real = terminal.progress
    monkeypatch.setattr(
        terminal, "progress", lambda what, total, unit: (seen.append(total), real(what, 3, unit))[1]
    )
    builds.update(here, None, "building")
    assert seen == [3]
    assert capsys.readouterr().out == "building: 3 tables\n"


def test_a_test_of_an_empty_table_passes_without_being_run():
    node = Node("no_a", "test", "tests/no_a.sql", (), "select 1 as a", failures="count(*)")
    with duckdb.connect() as connection:
        connection.execute("create table adopted as select 1 as a where false")
        assert "fails for 1 rows" in plain_sql.check(connection, node)
        only_with_rows = replace(node, only_with="adopted")
        assert plain_sql.check(connection, only_with_rows) is None
        connection.execute("insert into adopted values (1)")
        assert "fails for 1 rows" in plain_sql.check(connection, only_with_rows)


def test_a_failing_test_is_shown_with_the_keys_of_its_rows(here, project):
    project(
        no_twins="select 'a' as doc_id from range(1_000)",
        no_fault="select 1 as doc_id where false",
        no_line="select 'b\n' || repeat('c', 1_000) as said",
    )
    with pytest.raises(warehouse.WarehouseError) as failed:
        builds.test(here, None, "testing")
    assert str(failed.value).splitlines() == [
        "tests of the warehouse failed:",
        "test no_twins (tests/no_twins.sql) fails for 1,000 rows, such as",
        *["  doc_id: a"] * 5,
        "test no_line (tests/no_line.sql) fails for 1 rows, such as",
        f"  said: b {'c' * 118}…",
    ]


def test_a_test_that_only_warns_is_shown_and_stops_nothing(here, project, monkeypatch, capsys):
    project(no_news="select 'x' as outcome")
    found = builds.compiled_project(here)
    warning = {name: replace(node, warns=True) for name, node in found.tests.items()}
    monkeypatch.setattr(builds, "compiled_project", lambda _: replace(found, tests=warning))
    builds.test(here, None, "testing")
    assert "test no_news (tests/no_news.sql) fails for 1 rows" in capsys.readouterr().out
    # Until it passes, it is shown again.
    builds.test(here, None, "testing")
    assert "  outcome: x" in capsys.readouterr().out


def test_an_amount_of_memory_that_is_none_is_named(monkeypatch):
    monkeypatch.setenv(plain_sql.MEMORY, "banana")
    with pytest.raises(warehouse.WarehouseError, match="LATENT_PROBES_MEMORY is 'banana', not an"):
        plain_sql.memory_limit()


def test_a_long_message_is_shortened_and_kept_in_a_file(here, project):
    dump = "\n".join(f"Possible solution {number}" for number in range(40))
    project(
        tail_starts=f"select error('Cannot\n{dump}') as n from range(1)", no_n="from tail_starts"
    )
    builds.update(here, None, "building")
    with pytest.raises(warehouse.WarehouseError) as failed:
        builds.test(here, None, "testing")
    lines = str(failed.value).splitlines()
    assert lines[0] == "the warehouse was not built:"
    assert lines[1].startswith("no_n (tests/no_n.sql): ") and lines[1].endswith("Cannot")
    assert len(lines) == 6
    assert dump in Path(lines[-1].removeprefix("complete messages: ")).read_text()


def test_a_full_disk_is_named_whatever_was_built(here, project, monkeypatch):
    project(any="select 1 as n")
    message = 'IO Error: Could not write file "warehouse.duckdb": No space left on device'
    failing_with(duckdb.IOException(message), monkeypatch)
    with pytest.raises(warehouse.WarehouseError, match="the disk is full: free some space") as full:
        builds.update(here, None, "building")
    assert "\n" not in str(full.value)


def test_a_disk_without_room_for_what_leaves_memory_is_full(here, project, monkeypatch, tmp_path):
    rows = "select range as a, md5(range::varchar) as b from range(400_000)"
    with duckdb.connect(config={"memory_limit": "20MB", "threads": 1}) as connection:
        connection.execute(f"set temp_directory = '{tmp_path / 'spilled'}'")
        connection.execute("set max_temp_directory_size = '1MB'")
        with pytest.raises(duckdb.OutOfMemoryException) as full:
            connection.execute(f"create table t as {rows} order by b")
    assert not any((tmp_path / "spilled").glob("*"))
    assert failures.explained(full.value)[1].startswith("the disk is full")
    project(any="select 1 as n")
    failing_with(full.value, monkeypatch)
    with pytest.raises(warehouse.WarehouseError, match="not built: the disk is full: free some"):
        builds.update(here, None, "building")


def test_a_build_removes_what_a_killed_one_had_moved_out_of_memory(here, project):
    left = Path(f"{here.warehouse}.tmp") / "duckdb_temp_1_storage_DEFAULT-0.tmp"
    left.parent.mkdir()
    left.write_bytes(b"spilled")
    builds.update(here, None, "building")
    assert not left.exists()


@contextmanager
def interrupted_soon() -> Iterator[None]:
    """Press Ctrl-C in the middle of the block, as at a terminal."""
    # It is ignored in a background job.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        yield
        assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_in_a_build_is_an_interrupt_and_no_failure(here, project):
    project(no_end="select count(*) as n from range(10_000_000) a, range(10_000_000) b")
    with interrupted_soon(), pytest.raises(KeyboardInterrupt):
        builds.test(here, None, "testing")


@pytest.mark.parametrize("how", ["passed on", "as a failed node"])
def test_ctrl_c_while_dbt_compiles_is_an_interrupt_and_no_failure(how, here, monkeypatch):
    def interrupted():
        try:
            time.sleep(10)
        except KeyboardInterrupt as interrupt:
            if how == "passed on":
                return ended(exception=interrupt)
            return ended(result("any", "error", "INTERRUPT Error: Interrupted!"))

    pretend(monkeypatch, interrupted)
    with interrupted_soon(), pytest.raises(KeyboardInterrupt), compiler(here):
        pass


def test_a_model_that_dbt_cannot_compile_is_named(here, monkeypatch):
    pretend(monkeypatch, ended(result("tail_starts", "error", "Runtime Error\n  no column x")))
    with pytest.raises(warehouse.WarehouseError) as failed, compiler(here):
        pass
    assert str(failed.value).splitlines()[1:3] == [
        "tail_starts (tests/tail_starts.sql): Runtime Error",
        "  no column x",
    ]


def test_the_nodes_that_dbt_compiles_are_counted(here, monkeypatch, capsys):
    events = [("ConcurrencyLine", SimpleNamespace(node_count=3)), ("NodeFinished", None)]
    pretend(monkeypatch, ended(), events)
    with compiler(here):
        pass
    assert capsys.readouterr().out == "dbt: compiling the project: 1 nodes\n"


def test_dbt_works_in_the_home_that_it_is_given(here, monkeypatch):
    monkeypatch.setenv(home.VARIABLE, "elsewhere")
    seen = []
    pretend(monkeypatch, lambda: (seen.append(os.environ[home.VARIABLE]), ended())[1])
    with compiler(here):
        pass
    assert seen == ["home"]
    assert os.environ[home.VARIABLE] == "elsewhere"


@pytest.mark.parametrize("n_bytes", [100, 5000, 20000])
def test_a_truncated_landing_file_is_one_sentence(n_bytes, here):
    with here.landing.open("r+b") as file:
        file.truncate(n_bytes)
    with pytest.raises(Exception) as refused, landing.looked_at(here.landing) as connection:
        connection.execute("from rollouts").fetchall()
    code, sentence = failures.explained(refused.value)
    assert code == 1
    assert "restore a copy" in sentence and "\n" not in sentence


def test_a_warehouse_that_is_no_duckdb_file_can_be_deleted(here):
    here.warehouse.write_text("no database\n" * 1000)
    with (
        pytest.raises(warehouse.WarehouseError, match="delete the file, and the next command"),
        builds.writing(here),
    ):
        pass
    with (
        pytest.raises(warehouse.WarehouseError, match="delete the file"),
        warehouse.opened(here),
    ):
        pass


@pytest.mark.parametrize("option", ["--temperature", "--top-p", "--min-p"])
@pytest.mark.parametrize("number", ["nan", "inf"])
def test_a_sampling_setting_is_a_finite_number(option, number):
    command = get_command(app).commands["sample"]
    with pytest.raises(BadParameter, match="Input should be"):
        command.make_context("sample", ["--prefixes", "p", "--model", "m", option, number])


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("run --provider lexcial", "'lexcial' is not one of .*: did you mean 'lexical'"),
        ("plan --provider lexcial", "'lexcial' is not one of .*: did you mean 'lexical'"),
        ("calibrate --provider antropic", "did you mean 'anthropic"),
        ("evaluate --name m --condition real", "real_state, .*: did you mean 'real_state'"),
        ("evaluate --name m --condition no_state --provider x", "'x' is not one of [^:]*$"),
    ],
)
def test_a_mistyped_name_is_an_error_of_the_command_line(command, said):
    name, *arguments = command.split()
    with pytest.raises(BadParameter, match=said) as caught:
        get_command(app).commands[name].make_context(name, arguments)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: rollouts.land(["a"], constant=["temperature=hot"]), "hot is not a number"),
        (lambda: rollouts.land(["a"], column=["doc=id"]), "did you mean 'doc_id'"),
        (lambda: evaluation.calibrate(levels="3..1"), "the first level is above the last"),
    ],
)
def test_a_value_that_no_option_can_have_is_an_error_of_the_command_line(call, said):
    with pytest.raises(BadParameter, match=said):
        call()


def test_the_exit_codes_are_documented():
    page = (ROOT / "docs" / "getting-started.md").read_text()
    for code in (0, failures.FAILED, 2, failures.FAULT, failures.INTERRUPTED):
        assert f"| {code} |" in page


@pytest.mark.parametrize(
    ("pages", "chosen", "expected"),
    [(10**7, None, "3000MB"), (10**6, None, "2048MB"), (10**6, "1GB", "1GB")],
)
def test_a_build_uses_at_most_half_of_a_small_machine(monkeypatch, pages, chosen, expected):
    monkeypatch.delenv(plain_sql.MEMORY, raising=False)
    if chosen:
        monkeypatch.setenv(plain_sql.MEMORY, chosen)
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": pages}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    assert plain_sql.memory_limit() == expected


def test_the_limit_of_a_build_is_the_one_in_the_profile():
    profile = (ROOT / "profiles.yml").read_text()
    (default,) = re.findall(rf"env_var\('{plain_sql.MEMORY}', '(\d+)GB'\)", profile)
    assert int(default) * 10**9 == plain_sql.DEFAULT_MEMORY


def test_without_enough_memory_a_build_names_the_setting(here, project, monkeypatch):
    project(any="select 1 as n")
    failing_with(duckdb.OutOfMemoryException("Out of Memory Error: failed"), monkeypatch)
    with pytest.raises(warehouse.WarehouseError, match="allow DuckDB more, as in LATENT_P"):
        builds.update(here, None, "building")
