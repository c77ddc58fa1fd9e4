"""SQL identifiers, literals, and expressions that the models write by macros."""

from __future__ import annotations

import re
from pathlib import Path


def identifier(name: str) -> str:
    """Quote a column name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | Path) -> str:
    """Quote a text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def file_literal(path: Path) -> str:
    """Quote the path of one file as an SQL literal, for DuckDB functions that take a glob."""
    # In brackets, wildcards are literal.
    return literal(re.sub(r"([*?[])", r"[\1]", str(path)))


def text_between(text: str, starts_at: str, ends_at: str) -> str:
    """The part of a text from one offset up to another, as the macro of this name writes it."""
    return f"substr({text}, {starts_at} + 1, {ends_at} - {starts_at})"


def identity(*values: str) -> str:
    """The hash of a tuple of SQL expressions, as the macro of this name writes it."""
    return f"md5(json_array({', '.join(values)})::varchar)"


def is_blank(text: str) -> str:
    """Whether a text is null or has no visible character, as the macro of this name writes it."""
    return rf"coalesce(regexp_full_match({text}, '[\s\p{{Z}}\p{{C}}]*'), true)"


def stated_score(text: str) -> str:
    """The score that a judge's reply states, else null, as the macro of this name writes it."""
    marks = r"""[\s\p{Z}\p{Cf}*_`"''“”‘’«»„]*"""
    fence = r"(?:```(?:json|text|txt|plaintext|markdown|md|latex|xml)[ \t]*[\r\n])?"
    name = "(?:final[ _]|overall[ _])?(?:score|rating|grade|answer)"
    named = rf"(?:score|rating|grade|final answer)(?: is)?{marks}[:=]?|answer{marks}[:=]"
    label = rf"(?:(?:the |final |overall )*(?:{named}))?"
    whole = rf"(?:{marks}(?:/|out of){marks}1(?:[.,]00?)?)?"
    number = rf"[+]?(?:0|0?[.][0-9]+|0,[0-9]+|1|1[.]0+|1,00?){whole}"
    score = f"{marks}{number}{marks}"
    forms = "|".join(
        [
            score,
            f"[(]{score}[)]",
            f"[[]{score}[]]",
            f"[$]{score}[$]",
            rf"[$]*[\\]boxed[{{]{score}[}}][$]*",
            f"<{name}>{score}</{name}>",
            f"[{{]{marks}{name}{marks}:{score}[}}]",
        ]
    )
    reply = f"(?i)^{marks}{fence}{marks}{label}{marks}(?:{forms}){marks}[.]?{marks}$"
    return (
        f"nullif( replace( regexp_extract( regexp_extract( {text}, '{reply}' ), '[0-9.,]*[0-9]' ), "
        "',', '.' ), '' )::double"
    )


def is_named(named: str, asked: str) -> str:
    """Whether a name is that of the model asked, as the macro of this name writes it."""
    date = "([-@][0-9]{4}-?[0-9]{2}-?[0-9]{2})?"
    rest = f"substr({named}, length({asked}) + 1)"
    return (
        f"coalesce( starts_with({named}, {asked}) "
        f"and regexp_full_match( {rest}, '{date}' ), false )"
    )


def excerpt(context: str, target: str, characters: str) -> str:
    """What an answerer is shown of a complement: its last or first characters, at the split."""
    return f"if({target} = 'suffix', right({context}, {characters}), left({context}, {characters}))"
