"""Which table is made where, and in which order: prefixes, rounds, or the whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from latent_probes.warehouse.compilation import CompiledProject, Node

PREFIXES = "prefixes"
ROUND = "round"
WHOLE = "whole"
# Of a folder of models, unless a table is named below.
FOLDERS = {
    "rollouts": PREFIXES,
    **dict.fromkeys(("generator", "words", "probes", "asking", "scores"), ROUND),
}
TABLES = {
    **dict.fromkeys(("near_duplicate_prefixes", "prefixes", "rollout_quality"), WHOLE),
    **dict.fromkeys(("responses", "documents", "document_units", "shown_documents"), ROUND),
    "shown_continuations": ROUND,
    # A method that answers a scope in one round is expected to answer it in all.
    "oracle_questions": WHOLE,
    "answer_texts": ROUND,
    **dict.fromkeys(("probe_words", "probe_overlaps", "near_duplicate_probes"), ROUND),
    **dict.fromkeys(("typicality_audits", "probe_measures", "probe_findings"), ROUND),
    **dict.fromkeys(("arm_pairs",), ROUND),
}
# Within these, a row belongs to the part that its prefix or round belongs to.
SHARDED = (PREFIXES, ROUND)


@dataclass(frozen=True)
class Phase:
    """Tables that are made between two exchanges of rows, in order; ``scale`` says where."""

    scale: str
    tables: tuple[str, ...]


def scale(node: Node) -> str:
    """Where a table is made."""
    return TABLES.get(node.name) or FOLDERS.get(node.folder, WHOLE)


def phases(project: CompiledProject, available_after: dict[str, tuple[str, ...]]) -> list[Phase]:
    """The phases of a build, each of as many tables as can be made before the next.

    ``available_after`` names the tables that must be complete before rows of a landing table can be
    divided into rounds.
    """
    waiting = [node.name for node in project.nodes.values() if node.kind == "table"]
    made: set[str] = {node.name for node in project.nodes.values() if node.kind == "seed"}
    found: list[Phase] = []
    while waiting:
        before = len(waiting)
        for at in (PREFIXES, WHOLE, ROUND):
            complete = frozenset(made)
            tables = []
            for name in waiting:
                if scale(project.nodes[name]) != at:
                    continue
                needed = set(leaves(project, [name]))
                if at == ROUND:
                    sources = {leaf for leaf in needed if leaf.startswith("landing.")}
                    later = {table for leaf in sources for table in available_after.get(leaf, ())}
                    if not later <= complete:
                        continue
                if all(leaf in made or leaf.startswith("landing.") for leaf in needed):
                    tables.append(name)
                    made.add(name)
            if tables:
                found.append(Phase(at, tuple(tables)))
                waiting = [name for name in waiting if name not in made]
        assert len(waiting) < before, waiting
    return found


def leaves(project: CompiledProject, names: list[str]) -> Iterator[str]:
    """What nodes read: seeds, tables and ``landing.NAME``, also through views; with repetitions."""
    for name in names:
        for parent in project.nodes[name].parents:
            if parent in project.nodes and project.nodes[parent].kind == "view":
                yield from leaves(project, [parent])
            else:
                yield parent


def views(project: CompiledProject, names: list[str]) -> set[str]:
    """The views through which nodes read."""
    found: set[str] = set()
    for name in names:
        for parent in project.nodes[name].parents:
            if parent in project.nodes and project.nodes[parent].kind == "view":
                found |= {parent} | views(project, [parent])
    return found
