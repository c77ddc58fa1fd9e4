"""How often rules tell atoms from wrong answers without a model: bench/giveaways.py [WAREHOUSE]

WAREHOUSE is a built warehouse (default: demo/warehouse.duckdb). For word and lens probes, by scope
and target, with 95 % intervals by document: the share of probes whose atom a rule prefers to its
wrong answer (a tie counts half), and the share of ties. Everything is computed here from the texts,
not by the models behind `rule_readers`, and so also for a warehouse of an earlier version.

- overlap: share of its words that the complement contains; for words, averaged with the share of
  their triples of letters that it contains; plain overlap: of its words alone
- length: more characters
- frequency: words that more documents contain, without the one that it is taken from
- n-gram: log-probability per word of a bigram model, next to the complement
- logistic: these four together, fitted on the other half of the documents

Then the same for atoms and resampled texts, if there are any. Of both, what the document itself
contains is not counted. One half is not expected: the split is inside a sentence that was named
when the text after it was known. At last, the words of that sentence, of the sentences that could
also be named, and of one drawn in proportion to its words: means over documents.
"""

from __future__ import annotations

import hashlib
import math
import re
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy

from latent_probes.warehouse.functions import choices, intervals

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
# Scope, target, document, complement, atom, the text that it is compared with, and the whole text
# where the pair is a resampled one.
PAIRS = """
select
    probes.scope,
    probes.target,
    probes.doc_id,
    documents.text[probes.complement_start + 1:probes.complement_end],
    probes.target_response,
    {compared},
    {text},
from {pairs}
join probes using (probe_id)
join documents using (document_id)
where probes.scope in ('word', 'lens')
order by all
"""
PROBES = PAIRS.format(
    compared="probes.incorrect_plausible_answer",
    text="null",
    pairs="(select probe_id from probes)",
)
RESAMPLED = PAIRS.format(
    compared="resampled_texts.resampled_text", text="documents.text", pairs="resampled_texts"
)
# A rough count of words is enough.
NAMED = r"""
with allowed as (
    select
        documents.document_id,
        documents.text,
        splits.sentence_number,
        unnest(shown.word_lens_splits) as number,
        chosen.sentences[number] as place,
    from splits
    join chosen_documents as chosen using (round_number, doc_id)
    join shown_documents as shown
        on chosen.round_number = shown.round_number and chosen.document_id = shown.document_id
    join documents on chosen.document_id = documents.document_id
    where splits.split_group = 'word_lens' and splits.split_offset is not null
),
sentences as (
    select
        *,
        len(regexp_extract_all(text[place.starts_at + 1:place.ends_at], '\w+')) as words,
    from allowed
),
by_document as (
    select
        max(words) filter (where number = sentence_number) as named,
        avg(words) filter (where number != sentence_number) as others,
        sum(words * words) / sum(words) as by_length,
        max(words) as longest,
    from sentences
    group by document_id
)
select count(*), avg(named), avg(others), avg(by_length), count(*) filter (where named = longest)
from by_document
"""
DOCUMENTS = "select distinct text from chosen_documents join documents using (document_id)"


def words_of(text: str) -> list[str]:
    """The words of a text in lower case."""
    return WORD.findall(text.lower())


class NGrams:
    """Numbers of documents that contain each word and each pair of words."""

    def __init__(self, texts: list[str]):
        words = [words_of(text) for text in texts]
        self.words = Counter(word for document in words for word in set(document))
        self.pairs = Counter(pair for document in words for pair in set(pairwise(document)))
        self.begun: Counter[str] = Counter()
        for (first, _), number in self.pairs.items():
            self.begun[first] += number
        self.total = sum(self.words.values())

    def frequency(self, word: str, own: NGrams | None) -> float:
        """Relative frequency of a word, without the document that it is taken from, or ``own``."""
        return (max(self.words[word] - (own.words[word] if own else 1), 0) + 0.5) / self.total

    def probability(self, first: str, second: str, own: NGrams | None) -> float:
        """Probability of a word after another, without the document they are taken from."""
        pairs = max(self.pairs[first, second] - (own.pairs[first, second] if own else 1), 0)
        begun = max(self.begun[first] - (own.begun[first] if own else 1), 0)
        return (pairs + 2 * self.frequency(second, own)) / (begun + 2)


def measured(
    ngrams: NGrams, target: str, complement: str, text: str, own: NGrams | None
) -> list[float]:
    """Plain overlap, overlap, length, frequency and n-gram of one text."""
    around = words_of(complement)
    words = words_of(text)
    if not words:
        return [0, 0, math.log(len(text)), math.nan, math.nan]
    plain = numpy.mean([word in set(around) for word in words])
    overlap = plain
    if not text[:1].isspace() and len(words) == 1:
        lowered = text.lower()
        triples = [lowered[i : i + 3] for i in range(max(len(lowered) - 2, 1))]
        overlap = (plain + numpy.mean([part in complement.lower() for part in triples])) / 2
    beside = around[-1:] if target == "suffix" else around[:1]
    run = beside + words if target == "suffix" else words + beside
    return [
        plain,
        overlap,
        math.log(len(text)),
        numpy.mean([math.log(ngrams.frequency(word, own)) for word in words]),
        sum(math.log(ngrams.probability(first, second, own)) for first, second in pairwise(run))
        / len(words),
    ]


def half_of(doc_id: str) -> int:
    """Half of the documents, 0 or 1."""
    return hashlib.md5(doc_id.encode()).digest()[0] % 2


def logistic(differences: numpy.ndarray, halves: numpy.ndarray) -> numpy.ndarray:
    """Preference for the atom, from its differences, as fits the other half."""
    found = numpy.zeros(len(differences))
    for half in (0, 1):
        weights = choices.balancing_weights(
            [[list(-row)] for row in differences[halves != half]], True
        )
        if weights:
            found[halves == half] = differences[halves == half] @ numpy.array(weights)
    return found


def print_rules(probes: list[tuple], ngrams: NGrams) -> None:
    """Print one line per group of probes and rule."""
    for scope, target in sorted({probe[:2] for probe in probes}):
        group = [probe for probe in probes if probe[:2] == (scope, target)]
        values = numpy.array(
            [
                [
                    measured(ngrams, target, complement, text, NGrams([own]) if own else None)
                    for text in (atom, other)
                ]
                for _, _, _, complement, atom, other, own in group
            ]
        )
        differences = numpy.nan_to_num(values[:, 0] - values[:, 1])
        documents = numpy.array([doc_id for _, _, doc_id, *_ in group])
        halves = numpy.array([half_of(doc_id) for doc_id in documents])
        readers = {
            "plain overlap": differences[:, 0],
            "overlap": differences[:, 1],
            "length": differences[:, 2],
            "frequency": differences[:, 3],
            "n-gram": differences[:, 4],
            "logistic": logistic(differences[:, 1:], halves),
        }
        _, place = numpy.unique(documents, return_inverse=True)
        for name, preference in readers.items():
            preference = numpy.where(abs(preference) < 1e-9, 0, preference)
            accuracy = (numpy.sign(preference) + 1) / 2
            ends = intervals.mean_interval(
                numpy.bincount(place, accuracy), numpy.bincount(place).astype(float), 1000, 1
            )
            between = "" if ends is None else f"({ends[0]:.3f} to {ends[1]:.3f})"
            print(
                f"{scope:6}{target:8}{len(group):7,}  {name:14}{accuracy.mean():.3f} "
                f"{between:20}{(preference == 0).mean():6.2f}"
            )


def main() -> None:
    """Print one line per group of probes and rule, for wrong answers and for resampled texts."""
    path = sys.argv[1] if len(sys.argv) > 1 else "demo/warehouse.duckdb"
    with duckdb.connect(str(Path(path)), read_only=True) as database:
        probes = database.execute(PROBES).fetchall()
        ngrams = NGrams([text for (text,) in database.execute(DOCUMENTS).fetchall()])
        # A warehouse of an earlier version has none.
        tables = {
            name
            for (name,) in database.execute("select table_name from duckdb_tables()").fetchall()
        }
        resampled, named = [], None
        if "resampled_texts" in tables:
            resampled = database.execute(RESAMPLED).fetchall()
            named = database.execute(NAMED).fetchone()
    print(f"{'scope':6}{'target':8}{'probes':>7}  {'rule':14}{'accuracy':26}{'ties':>6}")
    print_rules(probes, ngrams)
    if resampled:
        print("resampled texts")
        print_rules(resampled, ngrams)
    if named and named[0]:
        print(
            "words of the sentence with the split of words and lenses, {:,} documents: {:.1f};\n"
            "of other sentences {:.1f}; of one drawn by its words {:.1f}; "
            "the longest in {:,}".format(*named)
        )


if __name__ == "__main__":
    main()
