"""Guards for the folder of a stranger: the files that may be opened, and limits of work.

A data set from the Hub can contain anything. Nothing outside its folder is read, only regular files
are opened, and the work on it is done in another process, whose time and memory are limited.
"""

from __future__ import annotations

import contextlib
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

from latent_probes.common import limits


class LimitError(Exception):
    """The work needs more time or memory than a data set of this size can need."""


def files_of(folder: Path) -> set[str]:
    """Relative paths of all files in a folder.

    Raises ValueError if anything is neither a regular file nor a folder, or is a link that leads
    out of the folder.
    """
    root = folder.resolve()
    found = set()
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(parent, name)
            place = path.relative_to(folder)
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                try:
                    target = path.resolve()
                except (OSError, RuntimeError) as error:
                    raise ValueError(f"{place} is a link in a loop of links") from error
                if not (target.is_relative_to(root) and target.is_file()):
                    raise ValueError(
                        f"{place} is a link to something outside the folder; download the data "
                        "set as plain files, for example with `hf download --local-dir`"
                    )
            elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise ValueError(f"{place} is not a regular file")
        found |= {str(Path(parent, name).relative_to(folder)) for name in names}
    return found


def text_of(path: Path) -> str:
    """The text of a file; raises ValueError if it is not UTF-8 or longer than any of ours."""
    if path.stat().st_size > limits.DATA_SET_TEXT_BYTES:
        raise ValueError(f"{path.name} is larger than {limits.DATA_SET_TEXT_BYTES:,} bytes")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not UTF-8") from error


def in_another_process(module: str, folder: Path) -> bytes:
    """Run ``python -m module folder`` within the limits, and return what it prints.

    The time grows with the bytes in the folder. Raises LimitError if the process does not end by
    itself.
    """
    seconds = limits.CHECK_SECONDS + stored_bytes(folder) // limits.CHECKED_BYTES_PER_SECOND
    # With -P, a module in the current directory, which can be the stranger's, is not imported.
    command = [sys.executable, "-P", "-m", module, str(folder.absolute())]
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LimitError(f"it takes longer than {seconds:,} seconds") from error
    if ended.returncode:
        raise LimitError(f"its process ended with status {ended.returncode}")
    return ended.stdout


def stored_bytes(folder: Path) -> int:
    """Bytes that the files of a folder occupy; holes in files do not count."""
    return sum(
        512 * Path(parent, name).lstat().st_blocks
        for parent, _, names in os.walk(folder)
        for name in names
    )


def limit_memory() -> None:
    """Limit the memory of this process, in which more than that is then an error."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = (
        limits.CHECK_MEMORY_BYTES
        if hard == resource.RLIM_INFINITY
        else min(hard, limits.CHECK_MEMORY_BYTES)
    )
    # macOS has no such limit.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
