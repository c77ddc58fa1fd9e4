"""A folder that emulates a batch service: submitted batches are stored there until deleted.

The id of a batch is the hash of its body, so submitting it twice has no effect.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from latent_probes.common.files import atomic_write, hash_of
from latent_probes.providers import ListedBatch, ProviderError


class Spool:
    """The batches of one provider. All count as ended: they are answered on download."""

    def __init__(self, folder: Path, prefix: str):
        self.folder = folder
        self.prefix = prefix

    def keep(self, body: Path) -> str:
        """Store a copy of a body file; return the batch's id."""
        batch_id = f"{self.prefix}-{hash_of(body)}"
        with atomic_write(self.folder / f"{batch_id}.jsonl") as kept:
            shutil.copyfile(body, kept)
        return batch_id

    def list(self) -> Iterator[ListedBatch]:
        """The stored batches, newest first."""
        kept = [(path.stat().st_mtime, path) for path in self.folder.glob("*.jsonl")]
        for changed_at, path in sorted(kept, reverse=True):
            with path.open("rb") as file:
                yield ListedBatch(
                    path.stem,
                    sum(1 for _ in file),
                    datetime.fromtimestamp(changed_at, UTC).replace(tzinfo=None),
                    has_ended=True,
                )

    def body(self, batch_id: str) -> Path:
        """The body file of a batch; raises ProviderError if there is no such batch."""
        body = self.folder / f"{batch_id}.jsonl"
        if not body.exists():
            raise ProviderError(f"no batch {batch_id} in {self.folder}")
        return body

    def answers(self, batch_id: str) -> Path:
        """The file to which answers of a batch are appended."""
        return self.folder / f"{batch_id}.answers"

    def forget(self, batch_id: str) -> None:
        """Delete a batch and its answers."""
        (self.folder / f"{batch_id}.jsonl").unlink(missing_ok=True)
        self.answers(batch_id).unlink(missing_ok=True)
