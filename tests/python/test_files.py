"""Atomic writes: a file is complete or missing."""

import hashlib
import os
import subprocess
import sys

import pytest

from latent_probes.common import files


def test_a_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with files.atomic_write(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), files.atomic_write(path) as partial:
        partial.write_text("half of the n")
        raise KeyboardInterrupt
    assert path.read_text() == "old"


def test_a_failure_leaves_no_new_file(tmp_path):
    path = tmp_path / "new.txt"
    with pytest.raises(ZeroDivisionError), files.atomic_write(path) as partial:
        partial.write_text(str(1 / 0))
    assert not path.exists()


def test_a_kill_leaves_the_old_file(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("old")
    program = (
        "import os, pathlib, sys\n"
        "from latent_probes.common import files\n"
        "with files.atomic_write(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half of the n')\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, path]).returncode == 9
    assert path.read_text() == "old"


def test_what_a_failure_left_is_not_in_the_next_file(tmp_path):
    path = tmp_path / "kept.txt"
    with pytest.raises(RuntimeError), files.atomic_write(path) as partial:
        partial.write_text("much longer than what follows")
        raise RuntimeError
    with files.atomic_write(path) as partial:
        partial.write_text("short")
    assert path.read_text() == "short"


def test_a_block_that_writes_nothing_leaves_the_old_file(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), files.atomic_write(path):
        pass
    assert path.read_text() == "old"


def test_missing_folders_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "new.txt"
    with files.atomic_write(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"


def test_a_written_body_is_named_by_its_hash(tmp_path):
    name = files.write_by_hash(
        tmp_path / "bodies", [b"one", "zwölf 👩\u200d👧".encode(), b"\xff", b""]
    )
    path = tmp_path / "bodies" / f"{name}.jsonl"
    assert path.read_bytes() == "one\nzwölf 👩\u200d👧\n".encode() + b"\xff\n\n"
    assert name == files.hash_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert list(path.parent.iterdir()) == [path]


def test_the_same_lines_are_the_same_file(tmp_path):
    first = files.write_by_hash(tmp_path, iter([b"one", b"two"]))
    assert files.write_by_hash(tmp_path, [b"one", b"two"]) == first
    assert files.write_by_hash(tmp_path, [b"two", b"one"]) != first


def test_lines_that_fail_leave_no_body(tmp_path):
    def lines():
        yield b"one"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        files.write_by_hash(tmp_path, lines())
    assert not list(tmp_path.glob("*.jsonl"))
    assert len(files.write_by_hash(tmp_path, [b"two"])) == 64
    assert [path.read_text() for path in tmp_path.glob("*.jsonl")] == ["two\n"]


def test_a_touched_file_is_no_longer_the_same(tmp_path):
    path = tmp_path / "watched.txt"
    assert files.same_file(path) is None
    path.write_text("one")
    seen = files.same_file(path)
    assert files.same_file(path) == seen
    os.utime(path, ns=(0, seen[1] + 1))
    assert files.same_file(path) != seen
    path.write_text("longer")
    assert files.same_file(path)[0] == 6


def test_what_is_replaced_is_gone_from_its_old_place(tmp_path):
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text("old")
    new.write_text("new")
    files.replace(new, old)
    assert old.read_text() == "new"
    assert list(tmp_path.iterdir()) == [old]


def test_a_replacement_that_is_not_there_leaves_the_old_file(tmp_path):
    old = tmp_path / "old.txt"
    old.write_text("old")
    with pytest.raises(FileNotFoundError):
        files.replace(tmp_path / "new.txt", old)
    assert old.read_text() == "old"
