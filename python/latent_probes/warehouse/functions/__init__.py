"""The dbt-duckdb plugin: what SQL cannot do, as functions over Arrow vectors.

``text_units(text, language)``            words, sentences and paragraphs of a text, as spans
``text_units_method(language)``           the name and version of that method
``text_measures(before, text, language)`` what says whether a text is fit to be probed
``text_measures_method(language)``        the name and version of that method
``token_spans(text, tokenizer, files)``   the tokens of a text, as spans
``tokenizer_version(tokenizer, files)``   the tokenizer's name and a hash of its files
``repair_json(text)``                     damaged JSON mended to a valid object, or null
``unescaped(text)``                       a text with its JSON escapes decoded
``mean_interval(sums, counts, n, seed)``  the interval of a mean, by a bootstrap over documents
``mean_intervals(sums, counts, n, seed)`` those of several means over the same probes
``spread_interval(sums, n, seed)``        that of a standard deviation
``alpha_interval(sums, n, seed)``         Krippendorff's alpha of two raters, with its interval
``correlation_interval(sums, n, seed)``   a correlation, with its interval
``solve_rates(counts, rate, most, n, seed)``  the distribution of solve rates in a group of probes
``beta_quantile(share, alpha, beta)``     a quantile of a beta distribution
``beta_share_above(value, alpha, beta)``  its share above a value

No function here calls a language model: a rebuild of the warehouse never spends money.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy
import pyarrow
import regex
from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb.func import FunctionNullHandling, PythonUDFType

from latent_probes import landing
from latent_probes.warehouse.functions import intervals, measures, solve_rates, units

SPANS = "STRUCT(starts_at INTEGER, ends_at INTEGER)[]"
WORDS = "STRUCT(starts_at INTEGER, ends_at INTEGER, word VARCHAR)[]"
UNITS = f"STRUCT(words {WORDS}, sentences {SPANS}, paragraphs {SPANS})"
MEASURED_SENTENCES = (
    "STRUCT(starts_at INTEGER, ends_at INTEGER, n_words INTEGER, n_repeated_words INTEGER, "
    "n_copied_words INTEGER, n_long_words INTEGER, n_known_long_words INTEGER, "
    "language VARCHAR, language_score FLOAT)[]"
)
MEASURES = (
    "STRUCT(n_words INTEGER, diversities DOUBLE[], signature UINTEGER[], "
    f"sentences {MEASURED_SENTENCES})"
)
INTERVAL = "STRUCT(low DOUBLE, high DOUBLE)"
ESTIMATE = "STRUCT(estimate DOUBLE, low DOUBLE, high DOUBLE)"
SOLVE_RATES = (
    "STRUCT(alpha DOUBLE, beta DOUBLE, by_answers STRUCT(n_answers BIGINT, unsolved DOUBLE, "
    "mislabelled DOUBLE, mislabelled_low DOUBLE, mislabelled_high DOUBLE, "
    "re_solved DOUBLE, re_solved_low DOUBLE, re_solved_high DOUBLE)[])"
)

# json-repair often takes a quote inside of a text for its end. The end of a text is better known by
# the key that follows, or the end of all.
KEY = r'"\w+"\s*:\s*(?=["\[{]|null)'
VALUE = regex.compile(rf'(?s)({KEY}\[?\s*")((?:(?!{KEY}).)*?)("[\s\]}},]*(?={KEY}|$))')
INNER_QUOTE = regex.compile(r'(?s)\\.(*SKIP)(*FAIL)|"')
ESCAPE = regex.compile(r"(?s)\\(?:u([0-9a-fA-F]{4})|(.))")
ESCAPED = dict(zip("\"\\/'bfnrt", "\"\\/'\b\f\n\r\t", strict=True))


class Plugin(BasePlugin):
    """Creates the landing file before dbt attaches it, and registers the functions."""

    def update_connection_config(self, creds, config):
        # dbt-duckdb retries neither a missing nor a locked attached file.
        for attachment in creds.attach or []:
            landing.prepare(Path(attachment.path))

    def configure_connection(self, conn):
        register(conn)


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Register the functions on ``connection``, unless it has them."""
    known = connection.execute(
        "select 1 from duckdb_functions() where function_name = 'text_units'"
    ).fetchall()
    if known:
        return
    for name, function, parameters, result in [
        ("text_units", text_units, ["VARCHAR", "VARCHAR"], UNITS),
        ("text_units_method", text_units_method, ["VARCHAR"], "VARCHAR"),
        ("text_measures", text_measures, ["VARCHAR"] * 3, MEASURES),
        ("text_measures_method", text_measures_method, ["VARCHAR"], "VARCHAR"),
        ("token_spans", token_spans, ["VARCHAR"] * 3, SPANS),
        ("tokenizer_version", tokenizer_version, ["VARCHAR"] * 2, "VARCHAR"),
        ("repair_json", repair_json, ["VARCHAR"], "VARCHAR"),
        ("unescaped", unescaped, ["VARCHAR"], "VARCHAR"),
        ("mean_interval", mean_interval, ["DOUBLE[]", "DOUBLE[]", "BIGINT", "BIGINT"], INTERVAL),
        (
            "mean_intervals",
            mean_intervals,
            ["DOUBLE[][]", "DOUBLE[]", "BIGINT", "BIGINT"],
            f"{INTERVAL}[]",
        ),
        ("spread_interval", spread_interval, ["DOUBLE[][]", "BIGINT", "BIGINT"], INTERVAL),
        ("alpha_interval", alpha_interval, ["DOUBLE[][]", "BIGINT", "BIGINT"], ESTIMATE),
        (
            *("correlation_interval", correlation_interval),
            *(["DOUBLE[][]", "BIGINT", "BIGINT"], ESTIMATE),
        ),
        (
            *("solve_rates", group_solve_rates),
            *(["DOUBLE[][]", "DOUBLE", "BIGINT", "BIGINT", "BIGINT"], SOLVE_RATES),
        ),
        ("beta_quantile", beta_quantile, ["DOUBLE"] * 3, "DOUBLE"),
        ("beta_share_above", beta_share_above, ["DOUBLE"] * 3, "DOUBLE"),
    ]:
        connection.create_function(
            name,
            function,
            parameters,
            result,
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
        )


def text_units(texts: pyarrow.ChunkedArray, languages: pyarrow.ChunkedArray):
    """Struct of word, sentence and paragraph spans for each text; a null text has none."""
    words, sentences, paragraphs, normal_forms = [], [], [], []
    for text, language in zip(texts.to_pylist(), languages.to_pylist(), strict=True):
        text = text or ""
        found = list(units.word_spans(text))
        words.append(found)
        # The normal form saves every model from cutting words out of the text again.
        normal_forms.extend(text[start:end].lower() for start, end in found)
        sentences.append(list(units.sentence_spans(text, language)))
        paragraphs.append(list(units.paragraph_spans(text)))
    return pyarrow.StructArray.from_arrays(
        [
            span_lists(words, word=pyarrow.array(normal_forms, pyarrow.string())),
            span_lists(sentences),
            span_lists(paragraphs),
        ],
        names=["words", "sentences", "paragraphs"],
    )


def text_units_method(languages: pyarrow.ChunkedArray):
    """Name and version of the method behind ``text_units``, for each language."""
    return pyarrow.array([f"{units.METHOD}, {language}" for language in languages.to_pylist()])


def text_measures(
    befores: pyarrow.ChunkedArray, texts: pyarrow.ChunkedArray, languages: pyarrow.ChunkedArray
):
    """Struct of measures for each text; the language is a constant of the query."""
    return measures.measured(
        [before or "" for before in befores.to_pylist()],
        [text or "" for text in texts.to_pylist()],
        languages[0].as_py() if len(languages) else "",
    )


def text_measures_method(languages: pyarrow.ChunkedArray):
    """Name and version of the method behind ``text_measures``, for each language."""
    return pyarrow.array([f"{measures.METHOD}, {language}" for language in languages.to_pylist()])


def token_spans(
    texts: pyarrow.ChunkedArray,
    tokenizers: pyarrow.ChunkedArray,
    files: pyarrow.ChunkedArray,
):
    """List of token spans for each text; tokenizer and files are constants of the query."""
    if len(texts) == 0:
        return span_lists([])
    return span_lists(
        units.token_spans(
            [text or "" for text in texts.to_pylist()],
            tokenizers[0].as_py(),
            files[0].as_py(),
        )
    )


def tokenizer_version(tokenizers: pyarrow.ChunkedArray, files: pyarrow.ChunkedArray):
    """Name and file hash of each tokenizer."""
    return pyarrow.array(
        [
            units.tokenizer_version(*pair)
            for pair in zip(tokenizers.to_pylist(), files.to_pylist(), strict=True)
        ],
        pyarrow.string(),
    )


def repair_json(texts: pyarrow.ChunkedArray):
    """Each text mended to a valid JSON object; null where none could be made of it."""
    return pyarrow.array([repaired(text) for text in texts.to_pylist()], pyarrow.string())


def repaired(text: str | None) -> str | None:
    """The text mended to a valid JSON object, or None."""
    import json_repair

    if text is None:
        return None
    try:
        value = json_repair.loads(VALUE.sub(with_escaped_quotes, text))
        # Text with braces around the answer makes it one of several values.
        if isinstance(value, list):
            value = next((part for part in value if isinstance(part, dict)), None)
        if not isinstance(value, dict):
            return None
        mended = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # Nested too deeply, or NaN.
    except (RecursionError, ValueError):
        return None
    # json-repair reads an escaped pair as two surrogates; a lone one is no character.
    return mended.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def with_escaped_quotes(value: regex.Match) -> str:
    """A field whose inner quotes are escaped, those that were already left as they are."""
    return value[1] + INNER_QUOTE.sub(r'\\"', value[2]) + value[3]


def unescaped(texts: pyarrow.ChunkedArray):
    """Each text with its JSON escapes decoded, whether or not it is valid JSON."""

    def character(escape: regex.Match) -> str:
        return chr(int(escape[1], 16)) if escape[1] else ESCAPED.get(escape[2], escape[0])

    def decoded(text: str) -> str:
        # Half of a pair is left out, unlike in a mended text, so that the two differ.
        return (
            ESCAPE.sub(character, text).encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
        )

    return pyarrow.array([text and decoded(text) for text in texts.to_pylist()], pyarrow.string())


def mean_interval(
    sums: pyarrow.ChunkedArray,
    counts: pyarrow.ChunkedArray,
    replicates: pyarrow.ChunkedArray,
    seeds: pyarrow.ChunkedArray,
):
    """Low and high end for each pair of lists: a document's sum of values, and how many."""
    found = (
        intervals.mean_interval(
            # What is null is not known, and neither is the interval.
            numpy.array(of_documents, float),
            numpy.array(counted, float),
            n,
            seed,
        )
        for of_documents, counted, n, seed in zip(
            *(column.to_pylist() for column in (sums, counts, replicates, seeds)), strict=True
        )
    )
    return figures(found, ["low", "high"])


def mean_intervals(
    sums: pyarrow.ChunkedArray,
    counts: pyarrow.ChunkedArray,
    replicates: pyarrow.ChunkedArray,
    seeds: pyarrow.ChunkedArray,
):
    """A list of low and high ends for each pair of lists: a document's sums, and how many."""
    found = [
        figures(
            intervals.mean_intervals(
                numpy.array(of_documents, float), numpy.array(counted, float), n, seed
            ),
            ["low", "high"],
        ).to_pylist()
        for of_documents, counted, n, seed in zip(
            *(column.to_pylist() for column in (sums, counts, replicates, seeds)), strict=True
        )
    ]
    ends = pyarrow.struct({"low": pyarrow.float64(), "high": pyarrow.float64()})
    return pyarrow.array(found, pyarrow.list_(ends))


def spread_interval(
    sums: pyarrow.ChunkedArray, replicates: pyarrow.ChunkedArray, seeds: pyarrow.ChunkedArray
):
    """Low and high end for each list of documents: a list of sum, sum of squares, and how many."""
    found = (
        intervals.spread_interval(numpy.array(of_documents, float), n, seed)
        for of_documents, n, seed in zip(
            *(column.to_pylist() for column in (sums, replicates, seeds)), strict=True
        )
    )
    return figures(found, ["low", "high"])


def alpha_interval(
    sums: pyarrow.ChunkedArray, replicates: pyarrow.ChunkedArray, seeds: pyarrow.ChunkedArray
):
    """Krippendorff's alpha, low and high end for each list of documents.

    A document is a list: pairs, squared differences, sums of both scores, of both squares.
    """
    found = (
        intervals.alpha_interval(numpy.array(of_documents, float), n, seed)
        for of_documents, n, seed in zip(
            *(column.to_pylist() for column in (sums, replicates, seeds)), strict=True
        )
    )
    return figures(found, ["estimate", "low", "high"])


def correlation_interval(
    sums: pyarrow.ChunkedArray, replicates: pyarrow.ChunkedArray, seeds: pyarrow.ChunkedArray
):
    """A correlation, low and high end for each list of documents.

    A document is a list: pairs, sums of both values, of products, of both squares.
    """
    found = (
        intervals.correlation_interval(numpy.array(of_documents, float), n, seed)
        for of_documents, n, seed in zip(
            *(column.to_pylist() for column in (sums, replicates, seeds)), strict=True
        )
    )
    return figures(found, ["estimate", "low", "high"])


def group_solve_rates(
    counts: pyarrow.ChunkedArray,
    highest_rates: pyarrow.ChunkedArray,
    most_answers: pyarrow.ChunkedArray,
    replicates: pyarrow.ChunkedArray,
    seeds: pyarrow.ChunkedArray,
):
    """The prior of each list of counts, and what it says by the number of answers."""
    return pyarrow.array(
        [
            solve_rates.described(numpy.array(of_group, float), *settings)
            for of_group, *settings in zip(
                *(
                    column.to_pylist()
                    for column in (counts, highest_rates, most_answers, replicates, seeds)
                ),
                strict=True,
            )
        ]
    )


def beta_quantile(
    shares: pyarrow.ChunkedArray, alphas: pyarrow.ChunkedArray, betas: pyarrow.ChunkedArray
):
    """The value below which such a share of each beta distribution lies."""
    from scipy.special import betaincinv

    return pyarrow.array(betaincinv(alphas.to_numpy(), betas.to_numpy(), shares.to_numpy()))


def beta_share_above(
    values: pyarrow.ChunkedArray, alphas: pyarrow.ChunkedArray, betas: pyarrow.ChunkedArray
):
    """The share of each beta distribution that lies above a value."""
    from scipy.special import betaincc

    return pyarrow.array(betaincc(alphas.to_numpy(), betas.to_numpy(), values.to_numpy()))


def figures(found, names: list[str]) -> pyarrow.StructArray:
    """Figures as a column of structs; rounded, as the last bits of a sum differ by machine."""
    return pyarrow.array(
        [
            None
            if row is None
            else {
                name: None if value is None else round(value, 9)
                for name, value in zip(names, row, strict=True)
            }
            for row in found
        ],
        pyarrow.struct({name: pyarrow.float64() for name in names}),
    )


def span_lists(rows: list[list[units.Span]], **more_fields: pyarrow.Array) -> pyarrow.ListArray:
    """One Arrow list of spans per row, built from two flat columns."""
    offsets = numpy.zeros(len(rows) + 1, dtype=numpy.int32)
    numpy.cumsum([len(row) for row in rows], out=offsets[1:])
    flat = numpy.fromiter(
        (place for row in rows for span in row for place in span),
        numpy.int32,
        2 * offsets[-1],
    )
    spans = pyarrow.StructArray.from_arrays(
        [pyarrow.array(flat[0::2]), pyarrow.array(flat[1::2]), *more_fields.values()],
        names=["starts_at", "ends_at", *more_fields],
    )
    return pyarrow.ListArray.from_arrays(pyarrow.array(offsets), spans)
