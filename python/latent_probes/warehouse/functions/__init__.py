"""Functions that SQL lacks, over Arrow vectors.

``text_units(text, language)``            words, sentences and paragraphs of a text, as spans
``text_words(text)``                      the same words alone
``text_counts(text, language)``           numbers of its sentences and paragraphs, however they end
``text_units_method(language)``           name and version of that method
``text_measures(before, text, language)`` measures that decide whether a text is eligible
``text_measures_method(language)``        name and version of that method
``text_parts(text, starts, ends)``        parts of a text, from each start to its end
``token_spans(text, tokenizer, files)``   the tokens of a text, as spans
``tokenizer_version(tokenizer, files)``   the tokenizer's name and a hash of its files
``json_answer(text, fields)``              the JSON object with these fields in a text
``repair_json(text)``                     damaged JSON repaired to a valid object, or null
``unescaped(text)``                       a text with its JSON escapes decoded
``mean_interval(sums, counts, n, seed)``  interval of a mean, by a bootstrap over documents
``share_interval(sums, counts, n, seed)`` the same for values from 0 to 1, exact for few events
``difference_interval(sums, counts, n, seed)`` the same for values from -1 to 1
``mean_intervals(sums, counts, n, seed)`` intervals of several means over the same probes
``spread_interval(sums, n, seed)``        interval of a standard deviation
``alpha_interval(sums, n, seed)``         Krippendorff's alpha of two raters, with its interval
``correlation_interval(sums, n, seed)``   a correlation, with its interval
``compare_methods(sums, n, seed)``        pairs of methods, with simultaneous intervals
``balancing_weights(differences, with)``  weights under which draws do not differ

No function calls a language model: rebuilding the warehouse never spends money.
"""

from __future__ import annotations

from contextlib import suppress

import duckdb
from duckdb.func import FunctionNullHandling, PythonUDFType

from latent_probes.warehouse.functions import damaged_json, json_answers, statistics, texts

FUNCTIONS = (
    *texts.FUNCTIONS,
    *json_answers.FUNCTIONS,
    *damaged_json.FUNCTIONS,
    *statistics.FUNCTIONS,
)


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Register the functions on ``connection``, unless it has them."""
    # Listing all functions would take 20 ms.
    with suppress(duckdb.CatalogException):
        connection.execute("select text_words(range::varchar) from range(0)").fetchall()
        return
    for name, function, parameters, result in FUNCTIONS:
        connection.create_function(
            name,
            function,
            [*parameters],
            result,
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
        )
