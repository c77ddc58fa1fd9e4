"""Valid generator answers, the same damaged, and what the warehouse reads of them.

Damage is drawn from a seed, so that a corpus is the same each time. A kind of damage takes the JSON
text of a valid answer and a source of chance.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import duckdb
import regex

from latent_probes.common import sql
from latent_probes.warehouse import functions

ROOT = Path(__file__).parents[2]
STRING = regex.compile(r'"(?:[^"\\]|\\.)*"')
TEXT_FIELDS = (
    "verbalizer_prompt",
    "target_response",
    "incorrect_plausible_answer",
    "synergy_check",
    "distribution_check",
    "difficulty_check",
)
# What is hard to mend: quotes at either end, before commas, colons and brackets, in other scripts.
SENTENCES = [
    "She calls the ledger a “second memory” and keeps it under the floor until March.",
    'The keeper says, "No, not tonight," and bars the door before the delegates arrive.',
    '"We were never asked," the mayor repeats, which turns the vote against the mill.',
    'The inspector reads the sign aloud: "Closed until further notice".',
    'It ends on the word "salt"',
    'Everyone at the table, "friends", "rivals", and the two clerks, signs the same page.',
    'He lists the rooms as "kitchen": cold, "attic": locked, and "cellar": flooded.',
    "The café on Żeromski Street closes; its owner, José Ñúñez, leaves 3 crates behind.",
    "Das Boot blieb im Hafen — niemand fragte, warum.",
    "彼女は手紙を読まずに燃やした。 Nobody mentions it again.",
    "The second argument depends on the first (see the note on drainage) and on the price of coal.",
    "It's the brother's debt, not the sister's, that the court settles.",
    "The path is C:\\ledger\\1871, a name that no reader could guess.",
    "The list has three parts:\n- the bridge,\n- the toll,\n- what the engineer 'forgot'.",
    "Column one\tcolumn two: figures follow, then a blank line.\n\nThen the story resumes.",
    "The report sets {status} to [open] and moves on to the harbour accounts.",
    "A careful reader sees only the storm; that the cargo was insured twice is said later 🚢.",
    "The committee postpones the decision, and the narrator starts to doubt the map.",
    "Neither half states it, yet each sentence leans toward the daughter's return.",
    "What follows is a list of prices from the winter of 1902, ending with candles at 4d.",
]


def valid_answers(n: int, seed: int) -> list[dict]:
    """So many answers of the form that the prompt asks for."""
    chance = random.Random(seed)

    def prose() -> str:
        return " ".join(chance.sample(SENTENCES, chance.choice((1, 1, 2, 3))))

    def probe(target: str, *units: str) -> dict:
        fields = {field: prose() for field in TEXT_FIELDS}
        if target == "prefix":
            fields["distribution_check"] = None
        return {
            "target": target,
            "units": list(units),
            "first_words": " ".join(prose().split()[:4]),
            "typicality": chance.choice(("typical", "atypical")) if target == "suffix" else None,
            **fields,
        }

    answers = []
    for _ in range(n):
        label = f"d{chance.randint(1, 4)}"
        splits = ("word_lens", "sentence", "paragraph", "whole")
        answers.append(
            {
                "document": label,
                "document_rationale": prose(),
                "splits": {name: f"{label}.s{chance.randint(3, 20)}" for name in splits},
                "split_rationale": prose(),
                "probes": {
                    "sentence_1": probe("suffix", f"{label}.s21"),
                    "sentence_2": probe("suffix", f"{label}.s22"),
                    "sentence_3": probe("prefix", f"{label}.s2"),
                    "paragraph_1": probe("suffix", f"{label}.p9"),
                    "paragraph_2": probe("prefix", f"{label}.p1"),
                    "whole_1": probe(chance.choice(("suffix", "prefix"))),
                },
            }
        )
    return answers


def written(answer: dict, chance: random.Random) -> str:
    """An answer as JSON: in one line or indented, with or without escapes for other scripts."""
    return json.dumps(answer, indent=chance.choice((None, 2)), ensure_ascii=chance.random() < 0.1)


def in_some_strings(
    text: str, chance: random.Random, fits: str, change: Callable[[str], str]
) -> str:
    """The text with the inside of up to three strings changed that hold ``fits``."""
    found = [match.span() for match in STRING.finditer(text) if fits in match[0][1:-1]]
    for start, end in sorted(chance.sample(found, min(len(found), chance.randint(1, 3))))[::-1]:
        text = text[: start + 1] + change(text[start + 1 : end - 1]) + text[end - 1 :]
    return text


def at_some_place(text: str, chance: random.Random, pattern: str, replacement: str) -> str:
    """The text with one match of ``pattern`` outside of strings replaced."""
    places = [
        match.span() for match in regex.finditer(rf"{STRING.pattern}(*SKIP)(*FAIL)|{pattern}", text)
    ]
    start, end = chance.choice(places)
    return text[:start] + replacement + text[end:]


def unescaped_quotes(text: str, chance: random.Random) -> str:
    return in_some_strings(text, chance, '\\"', lambda value: value.replace('\\"', '"'))


def one_unescaped_quote(text: str, chance: random.Random) -> str:
    return in_some_strings(text, chance, '\\"', lambda value: value.replace('\\"', '"', 1))


def raw_newlines(text: str, chance: random.Random) -> str:
    return in_some_strings(
        text, chance, "\\n", lambda value: value.replace("\\n", "\n").replace("\\t", "\t")
    )


def quotes_and_newlines(text: str, chance: random.Random) -> str:
    return raw_newlines(unescaped_quotes(text, chance), chance)


def invalid_escapes(text: str, chance: random.Random) -> str:
    return in_some_strings(text, chance, "'", lambda value: value.replace("'", "\\'"))


def missing_comma(text: str, chance: random.Random) -> str:
    return at_some_place(text, chance, ",", "")


def trailing_comma(text: str, chance: random.Random) -> str:
    return at_some_place(text, chance, r"(?=\s*\})", ",")


def missing_colon(text: str, chance: random.Random) -> str:
    return at_some_place(text, chance, ":", "")


def missing_quote(text: str, chance: random.Random) -> str:
    start, end = chance.choice([match.span() for match in STRING.finditer(text)])
    place = chance.choice((start, end - 1))
    return text[:place] + text[place + 1 :]


def doubled_quote(text: str, chance: random.Random) -> str:
    start, end = chance.choice([match.span() for match in STRING.finditer(text)])
    place = chance.choice((start, end - 1))
    return text[:place] + '"' + text[place:]


def stray_bracket(text: str, chance: random.Random) -> str:
    return at_some_place(text, chance, "(?<=:) ", f" {chance.choice('{[}],')}")


def missing_brace(text: str, chance: random.Random) -> str:
    return text.rstrip("}\n ") + "}" * chance.randint(0, 2)


def single_quotes(text: str, chance: random.Random) -> str:
    return repr(json.loads(text))


def fence_and_prose(text: str, chance: random.Random) -> str:
    return f"Here is the {{object}}:\n\n```json\n{text}\n```\n\nI hope that {{this}} helps."


def truncation(text: str, chance: random.Random) -> str:
    return text[: chance.randrange(1, len(text))]


def lone_surrogate(text: str, chance: random.Random) -> str:
    return in_some_strings(text, chance, " ", lambda value: value.replace(" ", " \\ud83d ", 1))


def not_a_number(text: str, chance: random.Random) -> str:
    return at_some_place(text, chance, "null", "NaN")


def comment_lines(text: str, chance: random.Random) -> str:
    return at_some_place(text, chance, r"(?<=,)\s", "\n// the next field\n")


def doubled_braces(text: str, chance: random.Random) -> str:
    return f"{{{text}}}"


def two_objects(text: str, chance: random.Random) -> str:
    other = json.loads(text)
    other["document_rationale"] = "On second thought."
    return f"{text}\n\nA better answer:\n\n{json.dumps(other)}"


# What can be around a valid answer.


def thinking_with_braces(text: str, chance: random.Random) -> str:
    opening, closing = chance.choice(
        (("<think>\n", "\n</think>\n\n"), ("", "</think>"), ("[THINK]", "[/THINK]"))
    )
    return f'{opening}A draft such as {{"draft": true}}, or {{this}}, is too short.{closing}{text}'


def reasoning_with_braces(text: str, chance: random.Random) -> str:
    sketch = '{"document": "d1", …, "splits": {"word_lens": …}, "probes": {…}}'
    return f'It is to be {sketch}, {{document}} first: {{"document": "d1"}}.\n\n{text}'


def object_before(text: str, chance: random.Random) -> str:
    return f'{{"plan": "pick {chance.choice("abc")}", "steps": [{{"n": 1}}]}}\n{text}'


def object_after(text: str, chance: random.Random) -> str:
    return f'{text}\n{{"done": true}}'


def prose_with_braces_after(text: str, chance: random.Random) -> str:
    return f'{text}\n\nThe fields {{document}} and {{splits}} are filled in, "probes" too.'


def twice(text: str, chance: random.Random) -> str:
    return f"{text}\n{written(json.loads(text), chance)}"


def list_around(text: str, chance: random.Random) -> str:
    return f"[{text}]"


def object_around(text: str, chance: random.Random) -> str:
    name = chance.choice(("answer", "document", "probes"))
    return f'{{"result": {{"{name}": {chance.choice((text, f"[{text}]"))}}}, "note": "{{}}"}}'


def json_string(text: str, chance: random.Random) -> str:
    return chance.choice(("{}", "Here: {}", '{{"arguments": {}}}')).format(json.dumps(text))


def escaped_quotes(text: str, chance: random.Random) -> str:
    return json.dumps(text)[1:-1]


def several_fences(text: str, chance: random.Random) -> str:
    draft = '```json\n{"draft": ["d1"]}\n```'
    return f"First:\n{draft}\nThen {{all}} of it:\n~~~\n{text}\n~~~\n{draft}"


def fence_around_unescaped_quotes(text: str, chance: random.Random) -> str:
    return fence_and_prose(unescaped_quotes(text, chance), chance)


def object_before_unescaped_quotes(text: str, chance: random.Random) -> str:
    return object_before(unescaped_quotes(text, chance), chance)


def prose_after_unescaped_quotes(text: str, chance: random.Random) -> str:
    return prose_with_braces_after(unescaped_quotes(text, chance), chance)


# What can be around it and is another answer.


def another(text: str) -> str:
    return json.dumps(json.loads(text) | {"document_rationale": "On second thought."})


def two_in_a_list(text: str, chance: random.Random) -> str:
    return f"[{text}, {another(text)}]"


def draft_and_final(text: str, chance: random.Random) -> str:
    return f'{{"draft": {another(text)}, "final": {text}}}'


def two_in_fences(text: str, chance: random.Random) -> str:
    first, second = (unescaped_quotes(one, chance) for one in (text, another(text)))
    return f"```json\n{first}\n```\nBetter:\n```json\n{second}\n```"


def another_that_is_cut_off(text: str, chance: random.Random) -> str:
    return f"{text}\n{another(text)[: chance.randint(20, 400)]}"


def another_that_is_damaged(text: str, chance: random.Random) -> str:
    return f"{missing_colon(another(text), chance)}\n{text}"


def a_field_beside_it(text: str, chance: random.Random) -> str:
    return f'{{"document": "d9", "answer": {text}}}'


def a_correction(text: str, chance: random.Random) -> str:
    return f'{text}\n\nCorrection: {{"document": "d9"}}'


def an_answer_in_a_damaged_one(text: str, chance: random.Random) -> str:
    return another(text).replace("On second thought.", f"For example, {text}")


DAMAGES = {
    damage.__name__: damage
    for damage in (
        unescaped_quotes,
        one_unescaped_quote,
        raw_newlines,
        quotes_and_newlines,
        invalid_escapes,
        missing_comma,
        trailing_comma,
        missing_colon,
        missing_quote,
        doubled_quote,
        stray_bracket,
        missing_brace,
        single_quotes,
        fence_and_prose,
        truncation,
        lone_surrogate,
        not_a_number,
        comment_lines,
        doubled_braces,
        *(thinking_with_braces, reasoning_with_braces, object_before, object_after),
        *(prose_with_braces_after, twice, list_around, object_around, json_string),
        *(escaped_quotes, several_fences, fence_around_unescaped_quotes),
        *(object_before_unescaped_quotes, prose_after_unescaped_quotes),
        *(two_objects, two_in_a_list, draft_and_final, two_in_fences),
        *(another_that_is_cut_off, another_that_is_damaged, a_field_beside_it, a_correction),
        an_answer_in_a_damaged_one,
    )
}


class Reader:
    """The compiled model generator_outputs over answers instead of a warehouse."""

    def __init__(self, query: str):
        self.query = query
        self.connection = duckdb.connect()
        functions.register(self.connection)
        self.connection.execute("attach ':memory:' as warehouse")
        self.connection.execute(
            "create table answers (request_id bigint, stop_reason varchar, text varchar)"
        )
        labels = json.dumps([{"label": f"d{number}"} for number in range(1, 5)])
        answer = sql.macro("without_thinking", "text")
        for table, columns in {
            "responses": f"request_id, 1 as attempt, 'm' as model, {answer} as text, "
            "case when stop_reason is distinct from 'end_turn' "
            "then coalesce(stop_reason, 'none') end as problem",
            "generator_requests": "request_id, 1 as round_number, request_id as doc_id, "
            "1 as row_seed, 'now' as input_hash",
            "attempts": "request_id, 1 as attempt, 'usable' as state, 'now' as input_hash",
            "stg_requests": f"request_id, 1 as attempt, '{labels}' as unit_map",
        }.items():
            self.connection.execute(
                f"create view warehouse.main.{table} as select {columns} from memory.main.answers"
            )

    def read(self, texts: list[str], stop_reason: str | None = "end_turn") -> list[dict]:
        """What the model makes of each text: reason for rejection, whether mended, output."""
        self.connection.execute("delete from answers")
        self.connection.execute(
            "insert into answers select generate_subscripts(texts, 1), $stop_reason, unnest(texts) "
            "from (select $texts::varchar[] as texts)",
            {"stop_reason": stop_reason, "texts": texts},
        )
        rows = self.connection.execute(
            f"select rejection_reason, was_repaired, output from ({self.query}) order by request_id"
        ).fetchall()
        names = ("rejection_reason", "was_repaired", "output")
        found = [dict(zip(names, row, strict=True)) for row in rows]
        for output in filter(None, (row["output"] for row in found)):
            for probe in filter(None, (output["probes"] or {}).values()):
                # Of a slot that was not declined.
                if probe["declined"] is None:
                    del probe["declined"]
        return found


def damaged(kind: str, answers: list[dict]) -> list[str]:
    """The text of each answer, damaged."""
    chance = random.Random(kind)
    return [DAMAGES[kind](written(answer, chance), chance) for answer in answers]


def is_part_of(output: dict, answer: dict) -> bool:
    """Whether every field of the output is the answer's; a probe may be missing as a whole."""

    def used(probe: dict | None) -> dict | None:
        if probe is None:
            return None
        # First words are compared as words; what is only for a suffix is not read of a prefix.
        read = probe | {"first_words": regex.findall(r"\w+", probe["first_words"] or "")}
        ignored = {"typicality": None, "distribution_check": None}
        return read | ignored if probe["target"] == "prefix" else read

    return output | {"probes": None} == answer | {"probes": None} and all(
        used(probe) == used(answer["probes"].get(name)) for name, probe in output["probes"].items()
    )
