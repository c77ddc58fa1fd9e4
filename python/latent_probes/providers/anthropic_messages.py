"""Any server of ``/v1/messages``: Claude without a batch's wait, or a model of one's own.

It plays a batch service in a folder: a batch that was handed in is kept there, and asked when its
results are downloaded, a few messages at a time. Every answer is appended to a file of the folder
before anything else is done with it, so that a kill loses at most what is in flight.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import anthropic
import httpx2
import orjson

from latent_probes.common import terminal
from latent_probes.providers import ListedBatch, ProviderError, UnreachableError, anthropic_api
from latent_probes.providers.anthropic_api import encode, serves
from latent_probes.providers.spool import Spool

MOST_TRIES = 8
# Doubled with each try, where the server does not say how long to wait.
FIRST_WAIT_SECONDS = 1.0
LONGEST_OWN_WAIT_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 600.0
# Statuses that say something of one request, and nothing of the next.
FAULTS_OF_A_REQUEST = {400, 413, 422}
# But an empty account says 400 too: so many equal errors in a row stop the run.
MOST_EQUAL_ERRORS = 20


class AnthropicMessages:
    """The Messages API. ``folder`` stands for the batch service."""

    name = "anthropic-messages"
    max_requests = 10_000
    max_bytes = 64 << 20
    poll_seconds = 10.0
    asks_when_collected = True
    # What was handed in is on the disk.
    settle_seconds = 0.0

    serves = staticmethod(serves)
    encode = staticmethod(encode)

    def __init__(self, folder: Path, in_flight: int):
        self.spool = Spool(folder, "messages")
        self.in_flight = in_flight
        self.client = anthropic_api.connect(max_retries=0)
        self.not_before = 0.0
        self.n_answered = 0

    def count(self, line: bytes) -> int:
        """What the API counts."""
        return anthropic_api.count(self.client, line)

    def submit(self, body: Path) -> str:
        """Keep the body; nothing is asked yet."""
        return self.spool.keep(body)

    def list(self) -> Iterator[ListedBatch]:
        """What is kept."""
        return self.spool.list()

    def download(self, provider_batch_id: str, results: Path) -> None:
        """Ask what is not answered yet, then copy the answers to ``results``."""
        body = self.spool.body(provider_batch_id)
        answers = self.spool.answers(provider_batch_id)
        drop_torn_line(answers)
        with answers.open("rb") as file:
            answered = {json.loads(line)["custom_id"] for line in file}
        with body.open("rb") as file:
            requests = [line for line in file if orjson.loads(line)["custom_id"] not in answered]
        if requests:
            with terminal.progress("asking", len(requests), "messages") as advance:
                self.ask_all(requests, answers, advance)
        shutil.copyfile(answers, results)

    def cancel(self, provider_batch_id: str) -> None:
        """Ask no more: what is not answered yet comes back as canceled."""
        body = self.spool.body(provider_batch_id)
        answers = self.spool.answers(provider_batch_id)
        drop_torn_line(answers)
        with answers.open("rb") as file:
            answered = {json.loads(line)["custom_id"] for line in file}
        with body.open("rb") as requests:
            for request in requests:
                custom_id = orjson.loads(request)["custom_id"]
                if custom_id not in answered:
                    append(answers, result_line(custom_id, "canceled"))

    def forget(self, provider_batch_id: str) -> None:
        """Delete the batch and its answers."""
        self.spool.forget(provider_batch_id)

    def ask_all(self, requests: list[bytes], answers: Path, advance) -> None:
        """Ask requests, some at a time, and append each answer as it comes.

        An error ends it when what is in flight has come; so does Ctrl-C.
        """
        pending = iter(requests)
        lock = threading.Lock()
        stopped = threading.Event()
        errors_in_a_row: list[str] = []
        causes: list[BaseException] = []

        def work() -> None:
            while not stopped.is_set():
                with lock:
                    request = next(pending, None)
                answered = self.ask(request, stopped) if request else None
                if answered is None:
                    return
                result, error = answered
                with lock:
                    append(answers, result)
                    advance(1)
                    if error not in errors_in_a_row:
                        errors_in_a_row.clear()
                    if error is not None:
                        errors_in_a_row.append(error)
                    if len(errors_in_a_row) >= MOST_EQUAL_ERRORS:
                        raise ProviderError(
                            f"{len(errors_in_a_row)} messages in a row were refused: {error}"
                        )

        def work_or_stop_all() -> None:
            try:
                work()
            except BaseException as error:
                causes.append(error)
                stopped.set()

        with ThreadPoolExecutor(self.in_flight) as executor:
            try:
                wait([executor.submit(work_or_stop_all) for _ in range(self.in_flight)])
            finally:
                stopped.set()
        if causes:
            # Of what came after it, much is its consequence.
            raise causes[0]

    def ask(self, request: bytes, stopped: threading.Event) -> tuple[bytes, str | None] | None:
        """The line of the result of one request, and what was wrong with the request.

        Waits and tries again while the server is busy. When that takes too long it is the fault of
        this request, if others were answered meanwhile; else UnreachableError is raised.
        ProviderError is raised for what would befall every request. None if it was stopped.
        """
        n_answered = self.n_answered
        asked = orjson.loads(request)
        custom_id, body = asked["custom_id"], orjson.dumps(asked["params"])
        for tries in range(MOST_TRIES):
            if not self.waited(stopped):
                return None
            seconds = None
            try:
                response = anthropic_api.post(self.client, "/v1/messages", body)
                anthropic_api.field(response, "content", list)
                self.n_answered += 1
                return result_line(custom_id, "succeeded", message=response.content), None
            except anthropic.APIStatusError as error:
                reason = anthropic_api.explained(error)
                if error.status_code in FAULTS_OF_A_REQUEST:
                    raw = as_json(error.response.content)
                    return result_line(custom_id, "errored", error=raw), str(reason)
                seconds = anthropic_api.wait_seconds(error)
            except (anthropic.AnthropicError, httpx2.HTTPError) as error:
                reason = anthropic_api.explained(error)
            except UnreachableError as error:
                reason = error
            if not isinstance(reason, UnreachableError):
                raise reason
            # A wait of nothing is as good as none named: it would use up all tries at once.
            seconds = seconds or min(FIRST_WAIT_SECONDS * 2**tries, LONGEST_OWN_WAIT_SECONDS)
            if seconds > LONGEST_WAIT_SECONDS:
                raise ProviderError(f"{reason} (it asks to wait {seconds:,.0f} seconds)")
            # All wait together: a server that is busy for one is busy for all.
            self.not_before = max(self.not_before, time.monotonic() + seconds)
        if self.n_answered == n_answered:
            raise reason
        error = {"type": "error", "error": {"type": "api_error", "message": str(reason)}}
        return result_line(custom_id, "errored", error=orjson.dumps(error)), None

    def waited(self, stopped: threading.Event) -> bool:
        """Wait until the server may be asked again, however often that is put off.

        False if it was stopped.
        """
        while not stopped.wait(max(0.0, self.not_before - time.monotonic())):
            if self.not_before <= time.monotonic():
                return True
        return False


def result_line(custom_id: str, outcome: str, **raw: bytes) -> bytes:
    """A line of results; ``raw`` is what the server said, as it came but for its line breaks."""
    line = orjson.dumps({"custom_id": custom_id, "result": {"type": outcome}})[:-2]
    for name, value in raw.items():
        # Raw line breaks in JSON stand between its parts, never inside a string.
        line += b',"' + name.encode() + b'":' + value.replace(b"\r", b" ").replace(b"\n", b" ")
    return line + b"}}\n"


def as_json(content: bytes) -> bytes:
    """What a server said, if it is JSON; else as a JSON string."""
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError:
        return orjson.dumps(content.decode(errors="replace"))
    return content


def append(answers: Path, line: bytes) -> None:
    """Add a line to a file, on the disk; if that fails, the file stays as it was."""
    with answers.open("ab", buffering=0) as file:
        end = file.tell()
        try:
            if file.write(line) < len(line):
                raise OSError(f"no room for an answer in {answers}")
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)
            raise


def drop_torn_line(answers: Path) -> None:
    """Cut off a last line that a kill left unfinished; make the file if there is none."""
    answers.touch()
    with answers.open("r+b") as file:
        end = 0
        for line in file:
            if line.endswith(b"\n"):
                end += len(line)
        file.truncate(end)
