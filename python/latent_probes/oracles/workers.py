"""Other devices: each has a process of its own with a copy of the models, and answers shards."""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from latent_probes.evaluation.oracles import OracleError
from latent_probes.local_models import ReadingError
from latent_probes.oracles.methods import Method, Result, Shard, answered
from latent_probes.oracles.setups import Setup
from latent_probes.sampling.batched_model import LanguageModelError
from latent_probes.sampling.tokenizing import TokenizerError

EXPECTED = (LanguageModelError, OracleError, ReadingError, TokenizerError)
# So that a device need not wait for the next shard while this process answers its own.
WAITING_SHARDS = 2


class Worker:
    """A process that answers shards on its device, in their order; ``waiting`` has those sent.

    ``loaded`` gives its settings and its environment once it has loaded the models.
    """

    def __init__(self, setup: Setup, device: str):
        # A forked process could not use CUDA.
        context = multiprocessing.get_context("spawn")
        self.device = device
        self.waiting: deque[tuple[Shard, Future[Result]]] = deque()
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, setup, device), daemon=True)
        self.process.start()
        theirs.close()
        # A thread that receives each result at once: a full pipe would block both processes.
        self.thread = ThreadPoolExecutor(1)
        self.loaded: Future[Any] = self.thread.submit(self.received)

    def send(self, shard: Shard) -> None:
        """Let it answer a shard after those before it."""
        self.waiting.append((shard, self.thread.submit(self.exchanged, shard)))

    def exchanged(self, shard: Shard) -> Result:
        """The result of a shard."""
        try:
            self.connection.send(shard)
        except OSError as error:
            raise self.ended() from error
        return self.received()

    def received(self) -> Any:
        """What it sends next. Raises what went wrong there, or LanguageModelError if it ended."""
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

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.join()
        self.thread.shutdown(cancel_futures=True)


def serve(connection: Connection, setup: Setup, device: str) -> None:
    """Load the models, send settings and environment, then the result of each shard received.

    What goes wrong is sent instead.
    """
    # The other process has ended.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            method = setup.on(device)
        except Exception as error:
            connection.send(portable(error))
            return
        connection.send((method.settings(), method.model.environment))
        while True:
            shard = connection.recv()
            found: Result | Exception
            try:
                found = answered(method, shard)
            except Exception as error:
                found = portable(error)
            connection.send(found)


def portable(error: Exception) -> Exception:
    """An error that another process can read; an unexpected one with its traceback."""
    if isinstance(error, EXPECTED):
        return error
    found = RuntimeError(f"{type(error).__name__}: {error}")
    found.add_note("".join(traceback.format_exception(error)))
    return found


@contextmanager
def started(setup: Setup, devices: Sequence[str]) -> Iterator[list[Worker]]:
    """Processes on these devices, which end with the block."""
    found: list[Worker] = []
    try:
        # Ctrl-C is for this process; the others inherit that they ignore it.
        usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for device in devices:
                found.append(Worker(setup, device))
        finally:
            signal.signal(signal.SIGINT, usual)
        yield found
    finally:
        for worker in found:
            worker.stop()


def wait_for_models(method: Method, others: Sequence[Worker]) -> None:
    """Wait until all have loaded. Raises OracleError if one has loaded something else."""
    ours = method.settings()
    for worker in others:
        theirs, _ = worker.loaded.result()
        if theirs != ours:
            differing = sorted(name for name in theirs if theirs[name] != ours.get(name))
            raise OracleError(
                f"--device {worker.device} has loaded something else than the first device "
                f"({', '.join(differing)}): files have changed meanwhile; rerun"
            )


def answered_on_all(
    method: Method, others: Sequence[Worker], shards: Iterator[Shard], n_shards: int
) -> Iterator[tuple[Shard, Result]]:
    """Shards with their results, in the order in which they finish.

    This process answers those that the others cannot take at once. Towards the end, nobody waits
    for a second one.
    """
    try:
        for number, shard in enumerate(shards, start=1):
            room = WAITING_SHARDS if n_shards - number > len(others) else 1
            free = [worker for worker in others if len(worker.waiting) < room]
            if free:
                min(free, key=lambda worker: len(worker.waiting)).send(shard)
            else:
                yield shard, answered(method, shard)
            yield from finished(others)
    except EXPECTED:
        yield from finished(others)
        raise
    while sent := [future for worker in others for _, future in worker.waiting]:
        wait(sent, return_when=FIRST_COMPLETED)
        yield from finished(others)


def finished(others: Sequence[Worker]) -> Iterator[tuple[Shard, Result]]:
    """What has been answered by now; then, raises what went wrong."""
    errors = []
    for worker in others:
        while worker.waiting and worker.waiting[0][1].done():
            shard, future = worker.waiting.popleft()
            if error := future.exception():
                errors.append(error)
            else:
                yield shard, future.result()
    if errors:
        raise errors[0]
