"""The batches: made, ended, canceled and deleted, without any HTTP.

Nothing runs in the background. Whatever time has brought about since the last call (a late commit,
the end of a batch) is caught up at the next one.
"""

from __future__ import annotations

import os
import random
import secrets
import tempfile
import threading
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import orjson

from stand_in import answers, checks
from stand_in.answers import CANCELED, RIGHT_ANSWER, WRONG_ANSWERS, Answer, WrongAnswer
from stand_in.faults import Faults
from stand_in.ledger import Ledger, request_of
from stand_in.refusals import RefusedError

DAY = 24 * 3600
STATES = ("processing", "succeeded", "errored", "canceled", "expired")


@dataclass(frozen=True)
class Requests:
    """The requests of a batch. Their parameters lie in a file, in order, between ``borders``."""

    custom_ids: tuple[str, ...]
    errors: dict[str, RefusedError]
    borders: array


@dataclass
class Batch:
    """A batch. ``ends_at`` is when it will have been worked off, ``ended_at`` when it has."""

    id: str
    requests: Requests
    created_at: float
    ends_at: float
    ended_at: float | None = None
    cancel_initiated_at: float | None = None
    wrong: dict[str, WrongAnswer] = field(default_factory=dict)

    def answer_to(self, custom_id: str) -> WrongAnswer:
        """How the request comes back; nearly always right."""
        return self.wrong.get(custom_id, RIGHT_ANSWER)

    @property
    def status(self) -> str:
        """Where its processing stands."""
        if self.ended_at is not None:
            return "ended"
        return "in_progress" if self.cancel_initiated_at is None else "canceling"

    def counts(self) -> dict[str, int]:
        """Its requests by state; all are processing until the batch ends."""
        if self.ended_at is None:
            counts = Counter(processing=len(self.requests.custom_ids))
        else:
            counts = Counter(self.answer_to(name).type for name in self.requests.custom_ids)
        return {state: counts[state] for state in STATES}

    def as_json(self, address: str) -> dict:
        """The batch as the API shows it."""
        has_results = self.ended_at is not None
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.status,
            "request_counts": self.counts(),
            "created_at": shown(self.created_at),
            "expires_at": shown(self.created_at + DAY),
            "ended_at": shown(self.ended_at),
            "cancel_initiated_at": shown(self.cancel_initiated_at),
            "archived_at": None,
            "results_url": f"{address}/v1/messages/batches/{self.id}/results"
            if has_results
            else None,
        }


def shown(moment: float | None) -> str | None:
    """A moment as the API writes it."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat()


class Service:
    """All batches, newest last, and the ledger.

    A batch ends ``seconds`` after it was made. Of a batch that is canceled, the share
    ``done_at_cancel`` was answered before.
    """

    def __init__(self, answer: Answer, faults: Faults, seconds: float, seed: int):
        self.answer = answer
        self.faults = faults
        self.seconds = seconds
        self.seconds_to_cancel = 0.0
        self.done_at_cancel = 0.0
        self.seed = seed
        self.lock = threading.RLock()
        self.file = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the service
        self.batches: dict[str, Batch] = {}
        self.late: list[tuple[float, Requests]] = []
        self.stale: tuple[str, float] = ("", 0.0)
        self.seconds_ahead = 0.0
        self.ledger = Ledger()

    def now(self) -> float:
        """The time, as far as batches are concerned."""
        return time.time() + self.seconds_ahead

    def keep(self, requests: list[dict]) -> Requests:
        """Write the parameters to the file, so that no large batch stays in memory."""
        errors = {}
        for request in requests:
            try:
                checks.check_sense(request["params"])
            except RefusedError as error:
                # A traceback would keep the whole body in memory.
                errors[request["custom_id"]] = error.with_traceback(None)
        with self.lock:
            borders = array("Q", [self.file.seek(0, os.SEEK_END)])
            for request in requests:
                self.file.write(orjson.dumps(request["params"]))
                borders.append(self.file.tell())
            self.file.flush()
        return Requests(tuple(request["custom_id"] for request in requests), errors, borders)

    def params(self, requests: Requests, number: int) -> dict:
        """The parameters of one request."""
        start, end = requests.borders[number : number + 2]
        return orjson.loads(os.pread(self.file.fileno(), end - start, start))

    def commit(self, requests: Requests, at: float | None = None) -> Batch:
        """Make a batch; return it as it is before anything happens to it."""
        if at is None:
            self.catch_up()
        now = self.now() if at is None else at
        batch = Batch(f"msgbatch_{secrets.token_hex(12)}", requests, now, now + self.seconds)
        with self.lock:
            self.batches[batch.id] = batch
            self.ledger.batches[batch.id] = requests.custom_ids
            return replace(batch)

    def commit_later(self, requests: Requests, seconds: float) -> None:
        """Make a batch when so many seconds have passed."""
        with self.lock:
            self.late.append((self.now() + seconds, requests))

    def catch_up(self) -> None:
        """Do what time has brought about."""
        now = self.now()
        with self.lock:
            for late in [late for late in self.late if late[0] <= now]:
                self.late.remove(late)
                self.commit(late[1], at=late[0])
            for batch in self.batches.values():
                if batch.ended_at is None and batch.ends_at <= now:
                    self.end(batch)

    def end(self, batch: Batch) -> None:
        """Settle how each request comes back, and bill those that succeed."""
        custom_ids = batch.requests.custom_ids
        drawn = self.faults.draw_wrong_answers(custom_ids)
        batch.wrong = {custom_id: WRONG_ANSWERS[name] for custom_id, name in drawn.items()}
        for custom_id, error in batch.requests.errors.items():
            batch.wrong[custom_id] = WrongAnswer("errored", error=error)
        if batch.cancel_initiated_at is not None:
            n_done = int(self.done_at_cancel * len(custom_ids))
            batch.wrong |= dict.fromkeys(custom_ids[n_done:], CANCELED)
        for custom_id in custom_ids:
            if batch.answer_to(custom_id).type == "succeeded":
                self.ledger.bill(custom_id)
        # Last, as others look at the batch meanwhile.
        batch.ended_at = batch.ends_at

    def end_all(self) -> None:
        """Let every batch end now."""
        with self.lock:
            for batch in self.batches.values():
                batch.ends_at = min(batch.ends_at, self.now())
            self.catch_up()

    def get(self, batch_id: str) -> Batch:
        """The batch of that id."""
        self.catch_up()
        with self.lock:
            if batch_id not in self.batches:
                raise RefusedError(404, f"Message batch {batch_id} not found.")
            return self.batches[batch_id]

    def hide_newest(self, seconds: float) -> None:
        """Leave the newest batch out of the list for so many seconds."""
        self.catch_up()
        with self.lock:
            self.stale = (next(reversed(self.batches), ""), self.now() + seconds)

    def newest_first(self) -> list[Batch]:
        """The batches that the list shows."""
        self.catch_up()
        with self.lock:
            hidden = self.stale[0] if self.now() < self.stale[1] else None
            return [batch for batch in reversed(self.batches.values()) if batch.id != hidden]

    def page(self, limit: int, after_id: str | None, before_id: str | None) -> dict:
        """One page of the list: the batches next to the one named, on the side asked for."""
        batches = self.newest_first()
        ids = [batch.id for batch in batches]
        for batch_id in (after_id, before_id):
            if batch_id is not None and batch_id not in ids:
                raise RefusedError(400, f"Message batch {batch_id} is not in the list.")
        if before_id is None:
            rest = batches[ids.index(after_id) + 1 :] if after_id else batches
            shown_batches = rest[:limit]
        else:
            rest = batches[: ids.index(before_id)]
            shown_batches = rest[-limit:]
        return {
            "batches": shown_batches,
            "has_more": len(rest) > limit,
            "first_id": shown_batches[0].id if shown_batches else None,
            "last_id": shown_batches[-1].id if shown_batches else None,
        }

    def cancel(self, batch_id: str) -> Batch:
        """Begin to cancel a batch; a second time changes nothing."""
        with self.lock:
            batch = self.get(batch_id)
            if batch.ended_at is not None:
                raise RefusedError(400, f"Batch {batch_id} cannot be canceled: it has ended.")
            self.ledger.cancels.append(batch_id)
            if batch.cancel_initiated_at is None:
                batch.cancel_initiated_at = self.now()
                ends_at = batch.cancel_initiated_at + self.seconds_to_cancel
                batch.ends_at = min(batch.ends_at, ends_at)
            return batch

    def delete(self, batch_id: str) -> None:
        """Delete a batch that has ended."""
        with self.lock:
            if self.get(batch_id).ended_at is None:
                raise RefusedError(400, f"Batch {batch_id} cannot be deleted: cancel it first.")
            del self.batches[batch_id]

    # Results -----------------------------------------------------------------------------------

    def lines(self, batch: Batch) -> Iterator[bytes]:
        """The results of an ended batch, in an order of their own that is always the same."""
        order = list(range(len(batch.requests.custom_ids)))
        random.Random(self.seed).shuffle(order)
        for number in order:
            custom_id = batch.requests.custom_ids[number]
            result = self.result(batch, number, custom_id)
            yield orjson.dumps({"custom_id": custom_id, "result": result}) + b"\n"

    def result(self, batch: Batch, number: int, custom_id: str) -> dict:
        """How one request came back."""
        wrong = batch.answer_to(custom_id)
        if wrong.error:
            return {"type": wrong.type, "error": wrong.error.body(None)}
        if wrong.change is None:
            return {"type": wrong.type}
        params = self.params(batch.requests, number)
        message = self.message(params, request_of(custom_id), f"{batch.id}{custom_id}", "batch")
        return {"type": wrong.type, "message": wrong.change(message)}

    def message(self, params: dict, key: str, name: str, service_tier: str) -> dict:
        """The answer to a request; ``name`` makes its id."""
        text = self.answer(params["model"], answers.prompt_of(params), key)
        return answers.message(f"msg_{answers.hash_of(name)[:24]}", params, text, service_tier)
