"""Any ``/v1/messages`` server: Claude without waiting for a batch, or your own model.

Emulates a batch service in a folder: a submitted batch is stored there and sent when its results
are downloaded, a few messages at a time. Every answer is first appended to a file in the folder, so
a kill loses at most the messages in flight.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import anthropic
import orjson

from latent_probes import landing, warehouse
from latent_probes.common import connections, limits, strict_json, terminal
from latent_probes.common.files import atomic_write
from latent_probes.common.home import Home
from latent_probes.providers import (
    ListedBatch,
    ProviderError,
    StrangeResponseError,
    UnreachableError,
    anthropic_api,
    names,
)
from latent_probes.providers.anthropic_api import encode, serves
from latent_probes.providers.spool import Spool

MOST_TRIES = 8
# Doubled with each try, unless the server says how long to wait.
FIRST_WAIT_SECONDS = 1.0
LONGEST_OWN_WAIT_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 600.0
# Statuses that concern one request only.
FAULTS_OF_A_REQUEST = {400, 413, 422}
# An account without credit also gets 400: this many equal errors in a row stop the run.
MOST_EQUAL_ERRORS = 20


def create(home: Home) -> AnthropicMessages:
    """Create the provider with its files in ``home``."""
    in_flight = warehouse.settings(home)["max_messages_in_flight"]
    aliases = names.aliases(home.project)
    return AnthropicMessages(home.batches / AnthropicMessages.name, in_flight, aliases)


class AnthropicMessages:
    """The Messages API. ``folder`` emulates the batch service."""

    name = "anthropic-messages"
    max_requests = 10_000
    max_bytes = 64 << 20
    poll_seconds = 10.0
    recording_hash = None
    asks_when_collected = True
    # Submitted batches are on disk.
    settle_seconds = 0.0
    message_sql = landing.MESSAGES_API

    serves = staticmethod(serves)
    encode = staticmethod(encode)

    def __init__(self, folder: Path, in_flight: int, aliases: names.Aliases = frozenset()):
        self.spool = Spool(folder, "messages")
        self.in_flight = in_flight
        self.aliases = aliases
        self.client = anthropic_api.connect(max_retries=0)
        self.not_before = 0.0
        self.n_answered = 0

    def count(self, line: bytes) -> int:
        """Input tokens, as counted by the API."""
        return anthropic_api.count(self.client, line)

    def submit(self, body: Path) -> str:
        """Store the body; nothing is sent yet."""
        return self.spool.keep(body)

    def list(self) -> Iterator[ListedBatch]:
        """The stored batches."""
        return self.spool.list()

    def download(self, provider_batch_id: str, results: Path) -> None:
        """Send all unanswered requests, then copy the answers to ``results``."""
        answers = self.spool.answers(provider_batch_id)
        requests = [request for _, request in self.unanswered(provider_batch_id)]
        if requests:
            with terminal.progress("asking", len(requests), "messages") as advance:
                self.ask_all(requests, answers, advance)
        shutil.copyfile(answers, results)

    def cancel(self, provider_batch_id: str) -> None:
        """Record all unanswered requests as canceled."""
        answers = self.spool.answers(provider_batch_id)
        for custom_id, _ in self.unanswered(provider_batch_id):
            append(answers, result_line(custom_id, "canceled"))

    def unanswered(self, provider_batch_id: str) -> Iterator[tuple[str, bytes]]:
        """The custom ids and requests of a batch that have no answer."""
        body = self.spool.body(provider_batch_id)
        answered = keep_readable(self.spool.answers(provider_batch_id))
        with body.open("rb") as file:
            for request in file:
                custom_id = orjson.loads(request)["custom_id"]
                if custom_id not in answered:
                    yield custom_id, request

    def forget(self, provider_batch_id: str) -> None:
        """Delete the batch and its answers."""
        self.spool.forget(provider_batch_id)

    def ask_all(
        self, requests: Iterable[bytes], answers: Path, advance: Callable[[int], None]
    ) -> None:
        """Send requests, some at a time, and append each answer on arrival.

        After an error or Ctrl-C, it ends when the messages in flight are answered.
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
                if request is None:
                    return
                answered = self.ask(request, stopped)
                if answered is None:
                    return
                result, error = answered
                with lock:
                    append(answers, result)
                    advance(1)
                    names.refuse_other(request, result, self.aliases)
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
            # Later errors are mostly consequences of the first.
            raise causes[0]

    def ask(self, request: bytes, stopped: threading.Event) -> tuple[bytes, str | None] | None:
        """The result line of one request, and the error of the request, if any.

        Waits and retries while the server is busy. If that takes too long, it counts as an error of
        this request if others were answered meanwhile, otherwise UnreachableError is raised. Raises
        ProviderError for errors that affect every request, and instead of UnreachableError if one
        of the tries might be billed. Returns None if stopped.
        """
        n_answered = self.n_answered
        n_strange = 0
        might_be_billed = False
        asked = orjson.loads(request)
        custom_id, body = asked["custom_id"], orjson.dumps(asked["params"])
        for tries in range(1, MOST_TRIES + 1):
            if not self.waited(stopped):
                return None
            seconds = None
            try:
                response = anthropic_api.post(self.client, "/v1/messages", body)
                message = anthropic_api.message_text(response).encode()
                self.n_answered += 1
                return result_line(custom_id, "succeeded", message=message), None
            except anthropic.APIStatusError as error:
                reason = anthropic_api.explained(error)
                if error.status_code in FAULTS_OF_A_REQUEST:
                    raw = as_json(error.response.content)
                    return result_line(custom_id, "errored", error=raw), str(reason)
                seconds = anthropic_api.wait_seconds(error)
            except anthropic_api.FAILURES as error:
                reason = anthropic_api.explained(error)
                might_be_billed |= not anthropic_api.was_never_sent(error)
            except StrangeResponseError as error:
                reason = error
            if not isinstance(reason, UnreachableError):
                raise reason
            if isinstance(reason, StrangeResponseError):
                might_be_billed = True
                n_strange += 1
                if n_strange == limits.STRANGE_RESPONSES:
                    break
            # Without a wait, all tries would be used up immediately.
            seconds = seconds or min(
                FIRST_WAIT_SECONDS * 2 ** (tries - 1), LONGEST_OWN_WAIT_SECONDS
            )
            if seconds > LONGEST_WAIT_SECONDS:
                raise ProviderError(f"{reason} (it asks to wait {seconds:,.0f} seconds)")
            # All workers wait together, since a busy server is busy for all.
            self.not_before = max(self.not_before, time.monotonic() + seconds)
        if self.n_answered == n_answered:
            if might_be_billed:
                raise ProviderError(
                    f"{reason}. Stopped after {tries} tries, because each can be billed: fix the "
                    "cause and run again"
                )
            raise reason
        fault = {"type": "error", "error": {"type": "api_error", "message": str(reason)}}
        return result_line(custom_id, "errored", error=orjson.dumps(fault)), None

    def waited(self, stopped: threading.Event) -> bool:
        """Wait until the server can be called again, even if that is postponed repeatedly.

        False if stopped.
        """
        while not stopped.wait(max(0.0, self.not_before - time.monotonic())):
            if self.not_before <= time.monotonic():
                return True
        return False


def result_line(custom_id: str, outcome: str, **raw: bytes) -> bytes:
    """A line of results; ``raw`` is the server's response, unchanged except for line breaks."""
    line = orjson.dumps({"custom_id": custom_id, "result": {"type": outcome}})[:-2]
    for name, value in raw.items():
        # Raw line breaks in JSON are never inside a string.
        line += b',"' + name.encode() + b'":' + value.replace(b"\r", b" ").replace(b"\n", b" ")
    return line + b"}}\n"


def as_json(content: bytes) -> bytes:
    """A server's error, without keys: its JSON if it can be read, otherwise a JSON string."""
    try:
        text = strict_json.text_of(content)
        orjson.loads(text)
    except ValueError:
        return orjson.dumps(connections.shown(content))
    return connections.without_secrets(text).encode()


def append(answers: Path, line: bytes) -> None:
    """Append a line to a file and flush it to disk; on failure, the file is unchanged."""
    with answers.open("ab", buffering=0) as file:
        end = file.tell()
        try:
            if file.write(line) < len(line):
                raise OSError(f"no disk space for an answer in {answers}")
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)
            raise


def keep_readable(answers: Path) -> set[str]:
    """The custom ids of the answers in a file, which is created if it is missing.

    Lines that cannot be read are removed, so that their requests are asked again: one that a kill
    left incomplete, or one of an earlier version.
    """
    answers.touch()
    answered = set()
    is_intact = True
    with answers.open("rb") as file:
        for line in file:
            custom_id = custom_id_of(line)
            is_intact &= custom_id is not None
            answered.add(custom_id)
    if not is_intact:
        with answers.open("rb") as file, atomic_write(answers) as kept, kept.open("wb") as copy:
            copy.writelines(line for line in file if custom_id_of(line) is not None)
    return {custom_id for custom_id in answered if custom_id is not None}


def custom_id_of(line: bytes) -> str | None:
    """The custom id of a line of answers; None if it cannot be read."""
    try:
        answer = strict_json.read(line.decode())
    except ValueError:
        return None
    custom_id = answer.get("custom_id") if isinstance(answer, dict) else None
    return custom_id if isinstance(custom_id, str) and line.endswith(b"\n") else None
