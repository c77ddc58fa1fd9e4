"""A process that makes runs which can die anywhere: `python killable_run.py`, orders on stdin.

An order is a line of JSON. For each, the process forks; the child drains the queue of a home with
the real runner, the real SDK and the real provider, but without dbt, and may kill itself before or
after any step of the protocol, or at any moment. The answer is a line with its exit status and
what it said. The packages are imported once, which is what takes long.
"""

from __future__ import annotations

import functools
import json
import os
import random
import signal
import sys
import traceback
from pathlib import Path

import duckdb  # noqa: F401
import httpx2

from latent_probes import landing, warehouse
from latent_probes.common import files, terminal
from latent_probes.common.home import Home
from latent_probes.providers import anthropic_api
from latent_probes.providers.anthropic_batches import AnthropicBatches
from latent_probes.queue import batches, runner

# Every step that writes something down, or that the provider hears of.
STEPS = (
    (files, "replace"),
    (files, "write_by_hash"),
    (landing, "intend"),
    (landing, "sending"),
    (landing, "refused"),
    (landing, "submitted"),
    (landing, "disown"),
    (landing, "release"),
    (landing, "stage_results"),
    (landing, "add_responses"),
    (AnthropicBatches, "submit"),
    (AnthropicBatches, "download"),
    (AnthropicBatches, "cancel"),
    (batches, "body_file"),
)


def main() -> None:
    """Carry out orders until stdin ends."""
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        if not (child := os.fork()):
            os.close(reading)
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            run(order)
        os.close(writing)
        with os.fdopen(reading, errors="replace") as said:
            output = said.read()
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        print(json.dumps({"code": code, "said": output}), flush=True)


def run(order: dict) -> None:
    """Drain the queue of a home, dying as the seed has it; ends the process."""
    code = 1
    try:
        make_mortal(random.Random(order["seed"]), order["deaths"])
        os.environ |= order["environment"]
        terminal.console.file = terminal.errors.file = sys.__stdout__
        home = Home(Path(order["project"]), Path(order["home"]))
        for name in ("build", "build_before_run", "test_queue", "build_queue"):
            setattr(warehouse, name, lambda *_, **__: None)
        anthropic_api.TIMEOUT = httpx2.Timeout(order["timeout_seconds"])
        AnthropicBatches.max_requests = order["max_requests"]
        AnthropicBatches.poll_seconds = 0.02
        AnthropicBatches.settle_seconds = order["settle_seconds"]
        runner.answer_pending(home, AnthropicBatches(), once=False, max_cost=None)
        code = 0
    except BaseException:
        traceback.print_exc(file=sys.__stdout__)
    finally:
        sys.__stdout__.flush()
        os._exit(code)


def make_mortal(draw: random.Random, deaths: float) -> None:
    """Let every step die before or after it with a chance, and anything at some moment."""

    def mortal(step):
        @functools.wraps(step)
        def dying(*arguments, **named):
            if draw.random() < deaths:
                os.kill(os.getpid(), signal.SIGKILL)
            result = step(*arguments, **named)
            if draw.random() < deaths:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return dying

    for owner, name in STEPS:
        setattr(owner, name, mortal(getattr(owner, name)))
    if draw.random() < deaths * 5:
        # Nobody handles this signal: it ends the process as kill -9 does, in mid-step.
        signal.setitimer(signal.ITIMER_REAL, draw.uniform(0.001, 0.5))


if __name__ == "__main__":
    main()
