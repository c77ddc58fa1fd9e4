"""Check the lines of the seeds, before dbt loads them, by the rules of seeds/_seeds.yml."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from latent_probes.warehouse.faults import raise_if_any, shown
from latent_probes.warehouse.seed_files import Seed, allowed, described_seeds, read_lines

MAX_LISTED = 20


def refuse_invalid_seeds(project: Path) -> dict[str, Seed]:
    """Check all seeds and return them by name. Raises ProjectError with what is wrong."""
    wrong: list[str] = []
    seeds = {}
    for seed in described_seeds(project):
        seeds[seed.name] = seed
        wrong += read_lines(project, seed)
    raise_if_any(wrong)
    for seed in seeds.values():
        for check in CHECKS:
            wrong += check(seed, seeds)
    raise_if_any(wrong)
    return seeds


def columns_of(key: str | list[str]) -> list[str]:
    """The columns of a key."""
    return [key] if isinstance(key, str) else key


def empty_values(seed: Seed, seeds: dict[str, Seed]) -> Iterator[str]:
    """Values that are missing."""
    for column in (*columns_of(seed.rules.get("key", [])), *seed.rules.get("not_null", [])):
        for line in seed.lines:
            if line.values[column] is None:
                yield f"{seed.at(line, column)}: empty; it must be {allowed(seed, column)}"


def other_values(seed: Seed, seeds: dict[str, Seed]) -> Iterator[str]:
    """Values outside a list or a range."""
    for column, values in seed.rules.get("accepted_values", {}).items():
        for line in seed.lines:
            value = line.values[column]
            if value is not None and value not in values:
                yield f"{seed.at(line, column)}: {shown(value)} is not {allowed(seed, column)}"
    for column, (low, high) in seed.rules.get("between", {}).items():
        for line in seed.lines:
            value = line.values[column]
            if value is not None and not (
                (low is None or low <= value) and (high is None or value <= high)
            ):
                yield f"{seed.at(line, column)}: {value:,} is not {allowed(seed, column)}"


def repeated_keys(seed: Seed, seeds: dict[str, Seed]) -> Iterator[str]:
    """Lines with the key of an earlier line."""
    for key in (seed.rules.get("key", []), *seed.rules.get("unique", [])):
        columns = columns_of(key)
        first: dict[tuple, int] = {}
        for line in seed.lines:
            values = tuple(line.values[column] for column in columns)
            if values in ((), (None,)):
                continue
            if (number := first.setdefault(values, line.number)) != line.number:
                yield (
                    f"{seed.at(line, ', '.join(columns))}: {', '.join(map(str, values))} is "
                    f"already in line {number}"
                )


def lone_nulls(seed: Seed, seeds: dict[str, Seed]) -> Iterator[str]:
    """Values that are empty where they must not be, or the other way round."""
    for column, condition in seed.rules.get("null_exactly_when", {}).items():
        for line in seed.lines:
            if (line.values[column] is None) != bool(line.values[condition]):
                yield (
                    f"{seed.at(line, column)}: it must be empty exactly when {condition} is true, "
                    f"and otherwise {allowed(seed, column)}"
                )


def unknown_references(seed: Seed, seeds: dict[str, Seed]) -> Iterator[str]:
    """Values that must be in another seed and are not."""
    for column, target in seed.rules.get("relationships", {}).items():
        other = seeds[target]
        key = columns_of(other.rules["key"])[0]
        known = [line.values[key] for line in other.lines]
        for line in seed.lines:
            value = line.values[column]
            if value is not None and value not in known:
                listed = ", ".join(map(str, known[:MAX_LISTED])) or "which has no line"
                yield f"{seed.at(line, column)}: {shown(value)} is not in {other.file} ({listed})"


def wrong_models(seed: Seed, seeds: dict[str, Seed]) -> Iterator[str]:
    """Controls that name the round's own model where another is needed, or the other way round."""
    rounds = {line.values["round_number"]: line for line in seeds["rounds"].lines}
    for rule in ("same_model", "other_model"):
        for stage_model, controls in seed.rules.get(rule, {}).items():
            for line in seed.lines:
                control, model = line.values["control"], line.values["model"]
                own = rounds.get(line.values["round_number"])
                if control not in controls or own is None or own.values["withdrawn"]:
                    continue
                first = own.values[stage_model]
                if rule == "same_model" and model not in (None, first):
                    yield (
                        f"{seed.at(line, 'model')}: {shown(model)}, but {control} asks the round's "
                        f"{stage_model}, {first}: leave it empty"
                    )
                elif rule == "other_model" and model in (None, first):
                    yield (
                        f"{seed.at(line, 'model')}: {control} needs another model than the round's "
                        f"{stage_model}, {first}"
                    )


CHECKS: tuple[Callable[[Seed, dict[str, Seed]], Iterator[str]], ...] = (
    empty_values,
    other_values,
    repeated_keys,
    lone_nulls,
    unknown_references,
    wrong_models,
)
