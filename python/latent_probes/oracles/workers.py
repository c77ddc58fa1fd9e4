"""Other devices: each has a process of its own with a copy of the models, and answers shards."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from latent_probes.evaluation.oracles import OracleError
from latent_probes.oracles.methods import Method, Result, Shard, answered
from latent_probes.oracles.setups import Setup
from latent_probes.sampling.language_model import LanguageModelError

# So that a device need not wait for the next shard while this process answers its own.
WAITING_SHARDS = 2


class Worker:
    """A process that answers shards on its device, in their order; ``shards`` are on their way."""

    def __init__(self, setup: Setup, device: str):
        # A forked process could not use CUDA.
        context = multiprocessing.get_context("spawn")
        self.device = device
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, setup, device), daemon=True)
        self.process.start()
        theirs.close()
        self.shards: list[Shard] = []

    def send(self, shard: Shard) -> None:
        """Let it answer a shard. Raises LanguageModelError if the process has ended."""
        try:
            self.connection.send(shard)
        except OSError as error:
            raise self.ended() from error
        self.shards.append(shard)

    def received(self) -> tuple[Shard, Result]:
        """Its next result. Raises what the process has raised, or LanguageModelError."""
        result = self.answer()
        return self.shards.pop(0), result

    def answer(self) -> Any:
        """What it sends next: its settings, then results.

        Raises what the process has raised, or LanguageModelError.
        """
        try:
            found = self.connection.recv()
        except (EOFError, OSError) as error:
            raise self.ended() from error
        if isinstance(found, Exception):
            raise found
        return found

    def ended(self) -> LanguageModelError:
        """The error of a process that has ended without a word."""
        self.process.join(1)
        return LanguageModelError(
            f"the process for --device {self.device} has ended (exit code "
            f"{self.process.exitcode}), perhaps because memory ran out: rerun to continue, with "
            "fewer devices if it happens again; landed data is kept"
        )


def serve(connection: Connection, setup: Setup, device: str) -> None:
    """Load the models, send the method's settings, then the result of each shard received.

    What goes wrong is sent instead.
    """
    # Ctrl-C is for the process that started this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The other process has ended.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            method = setup.on(device)
        except Exception as error:
            connection.send(error)
            return
        connection.send(method.settings())
        while True:
            shard = connection.recv()
            found: Result | Exception
            try:
                found = answered(method, shard)
            except Exception as error:
                found = error
            connection.send(found)


@contextmanager
def started(setup: Setup, devices: Sequence[str]) -> Iterator[list[Worker]]:
    """Processes on these devices, which end with the block."""
    found = [Worker(setup, device) for device in devices]
    try:
        yield found
    finally:
        for worker in found:
            worker.process.kill()


def wait_for_models(method: Method, others: Sequence[Worker]) -> None:
    """Wait until all have loaded. Raises OracleError if one has loaded something else."""
    for worker in others:
        if worker.answer() != method.settings():
            raise OracleError(
                f"--device {worker.device} has another revision of the models than the first one, "
                "because the repository changed meanwhile: rerun with --revision"
            )


def answered_on_all(
    method: Method, others: Sequence[Worker], shards: Iterator[Shard]
) -> Iterator[tuple[Shard, Result]]:
    """Shards with their results, in the order in which they finish.

    ``others`` must have loaded. What this process cannot give them at once, it answers itself.
    """
    for shard in shards:
        free = [worker for worker in others if len(worker.shards) < WAITING_SHARDS]
        if free:
            min(free, key=lambda worker: len(worker.shards)).send(shard)
        else:
            yield shard, answered(method, shard)
        yield from finished(others, timeout=0)
    while any(worker.shards for worker in others):
        yield from finished(others, timeout=None)


def finished(others: Sequence[Worker], timeout: float | None) -> Iterator[tuple[Shard, Result]]:
    """What has been answered by now; without a timeout, at least one shard."""
    asked = [worker for worker in others if worker.shards]
    ready = wait([worker.connection for worker in asked], timeout)
    for worker in asked:
        if worker.connection in ready:
            yield worker.received()
