"""Save hidden states at the splits of documents; a killed run can be rerun."""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from latent_probes import landing, warehouse
from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.local_models import ReadingError, shards, states, tokens
from latent_probes.local_models.states import Document
from latent_probes.sampling.batched_model import BatchedModel
from latent_probes.sampling.language_model import LanguageModel
from latent_probes.sampling.tokenizing import bare_name

if TYPE_CHECKING:
    import torch

METHOD = "states 2"


def save_activations(
    home: Home,
    model: BatchedModel,
    layers: list[int],
    n_kept: int,
    folder: Path,
    round_number: int | None,
    shard_size: int,
) -> int:
    """Save the states of all splits that are still missing; return the number of documents read.

    A shard has ``shard_size`` documents. Prints the expected size and time first, and at the end
    which tokens were used. Raises ReadingError for a layer that the model does not have, and for a
    folder with states of other settings.
    """
    refuse_layers(model, layers)
    shards.prepare(folder, settings_of(model, layers, n_kept))
    wanted = unread(home, folder, round_number)
    if not wanted:
        terminal.say("nothing to do: the states of all splits are saved")
        return 0
    say_other_names(home, model.name, [document_id for document_id, _ in wanted])
    announce(home, model, layers, n_kept, wanted, shard_size)
    report = Report()
    with terminal.progress("reading", len(wanted), "documents") as advance:
        # Shards of which not all documents have been read, and what was read of them.
        waiting: deque[list[Document]] = deque()
        known: dict[str, torch.Tensor] = {}

        def batches() -> Iterator[list[Document]]:
            for some in documents(home, model, wanted, n_kept, shard_size):
                fitting = [document for document in some if report.add(model, document)]
                advance(len(some) - len(fitting))
                if fitting:
                    waiting.append(fitting)
                    yield from states.batches(fitting, model.batch_size)

        read = functools.partial(states.read, layers=layers)
        for batch, tensors in model.map(read, batches()):
            known |= {one.document_id: tensor for one, tensor in zip(batch, tensors, strict=True)}
            advance(len(batch))
            if len(known) == len(waiting[0]):
                shard = waiting.popleft()
                kept = [known.pop(document.document_id) for document in shard]
                shards.add(folder, shard, kept, layers, model.n_layers)
    report.say()
    compare_lenses(home, model, wanted)
    return report.n_read


def refuse_layers(model: BatchedModel, layers: list[int]) -> None:
    """Raise for a layer that the model does not have."""
    last = model.n_layers
    for layer in layers:
        if not 0 <= layer <= last:
            raise ReadingError(
                f"{model.name} has layers 0 (the embeddings) to {last} (after the final norm), "
                f"not {layer}"
            )


def settings_of(model: BatchedModel, layers: list[int], n_kept: int) -> dict:
    """Settings that determine the states, stored with them."""
    settings = {name: model.settings[name] for name in ("model", "revision", "tokenizer", "dtype")}
    return settings | {
        "layers": layers,
        "last": n_kept,
        "hidden_size": model.hidden_size,
        "method": METHOD,
        "layers_are": "indices of output_hidden_states: 0 the embeddings, n after block n, "
        f"{model.n_layers} after the last block and the final norm",
        "oracle_layers": [shards.oracle_layer(layer, model.n_layers) for layer in layers],
        "token_basis": "the last ones with text that end at or before the split",
        # Read and counted, but never saved, since they have no text.
        "tokens_before_text": tokens.before_text(model.tokenizer),
    }


def unread(home: Home, folder: Path, round_number: int | None) -> list[tuple[str, tuple[int, ...]]]:
    """Documents with the splits whose states are missing, in the order of rounds."""
    with warehouse.opened(home) as connection:
        rows = connection.execute(
            """
            select splits.document_id, documents.text_hash, list(distinct splits.split_offset)
            from (
                select
                    round_number,
                    document_id,
                    unnest([
                        row_splits.word_lens, row_splits.sentence, row_splits.paragraph,
                        row_splits.whole
                    ]) as split_offset,
                from described_documents
            ) as splits
            join documents using (document_id)
            where
                splits.split_offset is not null
                and coalesce(splits.round_number = $round_number, true)
            group by all
            order by min(splits.round_number), splits.document_id
            """,
            {"round_number": round_number},
        ).fetchall()
    if not rows:
        raise ReadingError(
            "no document has splits yet: run a round first"
            if round_number is None
            else f"no document of round {round_number} has splits: check the number, or run it"
        )
    known = shards.known(folder)
    found = []
    for document_id, text_hash, offsets in rows:
        missing = sorted(
            offset for offset in offsets if (document_id, text_hash, offset) not in known
        )
        if missing:
            found.append((document_id, tuple(missing)))
    return found


def documents(
    home: Home,
    model: BatchedModel,
    wanted: list[tuple[str, tuple[int, ...]]],
    n_kept: int,
    n_at_once: int,
) -> Iterator[list[Document]]:
    """Documents with their tokens, ``n_at_once`` at a time."""
    for start in range(0, len(wanted), n_at_once):
        splits = dict(wanted[start : start + n_at_once])
        with warehouse.opened(home) as connection:
            rows = connection.execute(
                """
                select
                    document_id, text_hash, source_model, doc_id, continuation_idx, prefix_length,
                    text,
                from documents
                where document_id in (select unnest($document_ids))
                order by document_id
                """,
                {"document_ids": list(splits)},
            ).fetchall()
        with landing.opened(home.landing) as connection:
            sampled = landing.sampled_tokens(connection, [row[2:5] for row in rows])
        found = {}
        for document_id, text_hash, *key, prefix_length, text in rows:
            read = None
            if ids := sampled.get(tuple(key)):
                read = tokens.of_sample(model.tokenizer, text[:prefix_length], text, *ids)
            found[document_id] = Document(
                key[0],
                key[1],
                document_id,
                text_hash,
                splits[document_id],
                read or tokens.of_text(model.tokenizer, text),
                n_kept,
            )
        yield [found[document_id] for document_id in splits]


def say_other_names(home: Home, model: str, document_ids: list[str]) -> None:
    """Warn of documents by a source model of another name, whose states these might not be."""
    with warehouse.opened(home) as connection:
        found = connection.execute(
            """
            select source_model, count(*)
            from documents
            where document_id in (select unnest($document_ids))
            group by source_model
            order by source_model
            """,
            {"document_ids": document_ids},
        ).fetchall()
    for source_model, n_documents in found:
        if bare_name(source_model) != bare_name(model):
            terminal.say(
                f"warning: {source_model} wrote {n_documents:,} of the documents, and {model} is "
                "another name: unless it is the same model, these are not the states that wrote "
                "them"
            )


def announce(
    home: Home,
    model: BatchedModel,
    layers: list[int],
    n_kept: int,
    wanted: list[tuple[str, tuple[int, ...]]],
    shard_size: int,
) -> None:
    """Print the expected size and time, measured on a batch of documents from the middle."""
    middle = max(0, len(wanted) // 2 - model.batch_size // 2)
    ((*some,),) = documents(
        home, model, wanted[middle : middle + model.batch_size], n_kept, model.batch_size
    )
    fitting = [document for document in some if fits(model, document)]
    seconds = 0.0
    if fitting:
        ((_, spent),) = model.map(functools.partial(timed, layers=layers), [fitting])
        seconds = spent / len(fitting) * len(wanted) / model.n_copies
    n_rows = sum(len(splits) for _, splits in wanted) * n_kept
    n_bytes = n_rows * len(layers) * model.hidden_size * model.n_bytes
    terminal.say(
        f"{len(wanted):,} documents: up to {n_rows:,} tokens, {len(layers)} layers of "
        f"{model.hidden_size:,} {model.settings['dtype']}, {n_bytes / 1e6:,.1f} MB in "
        f"{-(-len(wanted) // shard_size):,} shards; about {seconds / 60:,.1f} minutes"
    )


def timed(model: LanguageModel, documents: list[Document], layers: list[int]) -> float:
    """Seconds that it takes to read these documents."""
    # The first pass is slower than all others.
    states.read(model, documents[:1], layers)
    started = time.monotonic()
    for batch in states.batches(documents, model.batch_size):
        states.read(model, batch, layers)
    return time.monotonic() - started


def fits(model: BatchedModel, document: Document) -> bool:
    """Whether the document fits in the model's context window."""
    return not model.longest or len(document.ids) <= model.longest


class Report:
    """Counts of the documents that were read, printed at the end."""

    def __init__(self) -> None:
        self.n_read = self.n_sampled = self.n_too_long = self.n_splits = self.n_inside = 0

    def add(self, model: BatchedModel, document: Document) -> bool:
        """Count a document; return whether it can be read."""
        if not fits(model, document):
            self.n_too_long += 1
            return False
        self.n_read += 1
        self.n_sampled += document.tokens.source == "sampled"
        self.n_splits += len(document.splits)
        self.n_inside += sum(map(document.tokens.is_inside, document.splits))
        return True

    def say(self) -> None:
        """Print it."""
        terminal.say(
            f"{self.n_read:,} documents: {self.n_sampled:,} with the sampled tokens, "
            f"{self.n_read - self.n_sampled:,} tokenized from text; {self.n_inside:,} of "
            f"{self.n_splits:,} splits are inside a token of this model"
        )
        if self.n_too_long:
            terminal.say(
                f"{self.n_too_long:,} documents skipped: their last split is beyond the model's "
                "context window"
            )


def compare_lenses(
    home: Home, model: BatchedModel, wanted: list[tuple[str, tuple[int, ...]]]
) -> None:
    """If the lenses were cut with another tokenizer, count their tokens in this model."""
    with warehouse.opened(home) as connection:
        lens_tokenizers = [
            version
            for (version,) in connection.execute(
                "select distinct tokenizer_version from document_tokens order by all"
            ).fetchall()
        ]
    own = model.settings["tokenizer"]
    if {version.rpartition("@")[2] for version in lens_tokenizers} <= {own.rpartition("@")[2]}:
        return
    n_lenses = n_equal = n_theirs = n_ours = 0
    for start in range(0, len(wanted), 256):
        with warehouse.opened(home) as connection:
            rows = connection.execute(
                """
                select documents.text, list((atom_start, atom_end, n_tokens) order by probe_id)
                from probes
                join documents using (document_id)
                where scope = 'lens' and document_id in (select unnest($document_ids))
                group by documents.document_id, documents.text
                """,
                {"document_ids": [document_id for document_id, _ in wanted[start : start + 256]]},
            ).fetchall()
        for text, lenses in rows:
            read = tokens.of_text(model.tokenizer, text)
            for atom_start, atom_end, n_tokens in lenses:
                n_own = read.n_touching(atom_start, atom_end)
                n_lenses += 1
                n_equal += n_own == n_tokens
                n_theirs += n_tokens
                n_ours += n_own
    terminal.say(
        f"lenses were cut with {', '.join(lens_tokenizers)}, but this model uses {own}: "
        f"{n_lenses:,} lenses have {n_theirs:,} tokens there and {n_ours:,} here; {n_equal:,} have "
        "the same number in both"
    )
