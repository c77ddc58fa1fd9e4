"""How a command that fails ends: one sentence on stderr, and an exit code that scripts can use."""

from __future__ import annotations

import errno
import tempfile
import traceback

from latent_probes.common import terminal

FAILED = 1
INTERRUPTED = 130
# The program is at fault: `EX_SOFTWARE` of sysexits.h.
FAULT = 70
FULL_DISK = "the disk is full: free some space and run again; what has landed is kept"


def ended(error: Exception) -> int:
    """Print why a command failed; return its exit code."""
    from rich.text import Text

    code, sentence = explained(error)
    message = Text.assemble(
        ("error: ", "bold red"), terminal.printable(terminal.from_here(sentence))
    )
    terminal.errors.print(message, soft_wrap=True)
    return code


def explained(error: Exception) -> tuple[int, str]:
    """The exit code of an error, and a sentence with the reason and the remedy."""
    module = type(error).__module__
    if module.startswith("latent_probes."):
        return FAILED, str(error)
    # Imports DuckDB, which `--help` does without.
    from latent_probes.common import locks

    text = str(error)
    is_full = locks.FULL_DISK in text or locks.FULL_TEMPORARY_FOLDER in text
    if getattr(error, "errno", None) == errno.ENOSPC or is_full:
        return FAILED, FULL_DISK
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename is not None else ""
        return FAILED, f"{place}{error.strerror or error}; check the path and its permissions"
    if isinstance(error, MemoryError) or "Out of Memory Error" in text:
        return FAILED, "not enough memory: free some, or use a larger machine; run again"
    if module == "_duckdb" and type(error).__name__ == "IOException":
        return FAILED, (
            f"{text.strip().splitlines()[0]}; if landing.duckdb is damaged, restore a copy of it; "
            "warehouse.duckdb can be deleted"
        )
    first, *_ = text.strip().splitlines() or [""]
    return FAULT, (
        f"unexpected {type(error).__name__}: {first[:300]}. This should not happen: please report "
        f"it with {saved(error)}"
    )


def saved(error: Exception) -> str:
    """Write the traceback to a new file; return its path, or the traceback if there is no room."""
    lines = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="latent-probes-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(lines)
    except OSError:
        return lines
    return file.name
