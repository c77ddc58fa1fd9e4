"""Requests as bytes: inputs from the warehouse, rendered, and encoded for a provider."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow

from latent_probes.providers import EncodingError, Provider, Request
from latent_probes.queue import pending, rendering

# Requests per stage and model whose tokens are counted for a plan.
COUNTED_AT_MOST = 20
ROWS_AT_ONCE = 256


@dataclass
class Sent:
    """The requests of a body: id, hash of what is shown, unit map and fault of each.

    A request with a fault could not be encoded and is not in the body.
    """

    request_ids: list[str] = field(default_factory=list)
    shown_hashes: list[str | None] = field(default_factory=list)
    unit_maps: list[str | None] = field(default_factory=list)
    faults: list[str | None] = field(default_factory=list)

    def add(self, request_id: str, shown: str, unit_map: str | None, fault: str | None) -> None:
        """Add a request."""
        self.request_ids.append(request_id)
        self.shown_hashes.append(shown)
        self.unit_maps.append(unit_map)
        self.faults.append(fault)

    @property
    def n_lines(self) -> int:
        """Number of lines in the body."""
        return self.faults.count(None)

    def table(self) -> pyarrow.Table:
        """The requests as a table."""
        columns = {
            "request_id": self.request_ids,
            "shown_hash": self.shown_hashes,
            "unit_map": self.unit_maps,
            "fault": self.faults,
        }
        return pyarrow.table(
            {name: pyarrow.array(values, pyarrow.string()) for name, values in columns.items()}
        )


def encoded(
    connection: duckdb.DuckDBPyConnection,
    provider: Provider,
    chosen: pyarrow.Table,
    taken: set[int],
    sent: Sent,
    advance: Callable[[int], None],
) -> Iterator[bytes]:
    """The lines of a body file for requests of one stage, up to the provider's maximum size.

    ``chosen`` are rows of ``pending.requests``. The number of lines avoids the sizes in ``taken``
    if a few more bytes are enough for that. Fills ``sent``.
    """
    stage = chosen["stage"][0].as_py()
    schema, prompt_hash = rendering.schema(stage), rendering.prompt_hash(stage)
    connection.register("chosen", chosen.append_column("place", [range(chosen.num_rows)]))
    connection.execute(
        f"""
        select
            inputs.*, chosen.attempt, chosen.model, chosen.input_hash, chosen.max_tokens,
            chosen.thinking, chosen.thinking_tokens, chosen.is_structured,
        from chosen
        join warehouse.{stage}_inputs as inputs using (request_id)
        order by chosen.place
        """
    )
    names = [column[0] for column in connection.description]
    n_bytes = n_lines = 0
    is_full = False
    # Read to the end even when full: the connection needs it before its next statement.
    while rows := connection.fetchmany(ROWS_AT_ONCE):
        for values in rows:
            if is_full:
                continue
            row = dict(zip(names, values, strict=True))
            request_id, unit_map = row.pop("request_id"), row.get("unit_map")
            request = Request(
                custom_id=f"{request_id}-{row.pop('attempt')}",
                stage=stage,
                model=row.pop("model"),
                input_hash=row.pop("input_hash"),
                prompt_hash=prompt_hash,
                max_tokens=row.pop("max_tokens"),
                thinking=row.pop("thinking"),
                thinking_tokens=row.pop("thinking_tokens"),
                schema=schema if row.pop("is_structured") else None,
                shown_hash=shown_hash(row),
                prompt=rendering.render(stage, row),
            )
            try:
                line = provider.encode(request)
            except EncodingError as error:
                sent.add(request_id, request.shown_hash, unit_map, fault(request, error))
                continue
            n_bytes += len(line) + 1
            is_full = n_lines > 0 and n_bytes > provider.max_bytes and n_lines not in taken
            if not is_full:
                n_lines += 1
                sent.add(request_id, request.shown_hash, unit_map, None)
                advance(1)
                yield line


def shown_hash(values: dict[str, Any]) -> str:
    """The hash of the values from which a prompt is rendered."""
    return hashlib.md5(json.dumps(values, sort_keys=True).encode()).hexdigest()


def fault(request: Request, error: EncodingError) -> str:
    """The result of a request that could not be sent, in the format of a provider's result."""
    return json.dumps(
        {
            "custom_id": request.custom_id,
            "result": {
                "type": "errored",
                "error": {
                    "type": "error",
                    "error": {"type": "encoding_error", "message": str(error)},
                },
            },
        }
    )


def sampled(
    connection: duckdb.DuckDBPyConnection, provider: Provider
) -> list[tuple[str, str, str, bytes]]:
    """A sample of pending requests of each stage and model: request_id, model, prompt_hash, line.

    Request ids are hashes, so the first ones are a sample.
    """
    connection.register("queue_of_all", pending.requests(connection, provider, None))
    lines = []
    for stage in rendering.STAGES:
        chosen = connection.sql(
            """
            from queue_of_all
            where stage = ?
            qualify row_number() over (partition by model order by request_id) <= ?
            order by model, request_id
            """,
            params=[stage, COUNTED_AT_MOST],
        ).to_arrow_table()
        if not chosen.num_rows:
            continue
        sent = Sent()
        bodies = list(encoded(connection, provider, chosen, set(), sent, lambda more: None))
        models = dict(
            zip(chosen["request_id"].to_pylist(), chosen["model"].to_pylist(), strict=True)
        )
        ids = [row[0] for row in zip(sent.request_ids, sent.faults, strict=True) if row[1] is None]
        lines += [
            (request_id, models[request_id], rendering.prompt_hash(stage), line)
            for request_id, line in zip(ids, bodies, strict=True)
        ]
    return lines
