"""Agreement against the best score, and bands from half of the draws: bench/commitment.py [TABLES]

In simulated tables (default: 100 tables of 200 lenses) the source model draws each text from a
known distribution, once as the atom and five times again. Agreement and bands are computed by the
warehouse. Naming the most probable text scores more than the agreement A and at most its square
root; a band whose figures come from the draws that set it shows more than the truth. Then the same
for words, of which half are function words: there is a probe only where the atom is none. Draws of
function words are left out; if they counted as disagreement, both ends would be too low.

At last, how often a reader that knows all probabilities prefers the atom to a resampled text. First
without the choice of the split, both texts being drawn alike: to the first draw, or to none if it
is the same, by the warehouse; or to the first draw that differs; and by typicality. Then with the
choice of the split: in documents whose every word ends its sentence with the same probability, a
sentence is named, the split is drawn between two of its words, and the text after it is compared
with a new continuation: which is more probable, and whether they are the same, as texts are here
whose sentences end at the same words. Beside it, the same of two new continuations, and the score
of naming the most frequent text.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy
import pyarrow

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "python"))

# Can only be imported with the test folder on the path.
from simulated_tables import SEED, Simulations  # noqa: E402

from latent_probes.common.home import Home  # noqa: E402

N_TEXTS = 30
N_FUNCTION_WORDS = 15
N_DRAWS = 5
N_PROBES = 200

# Sentences of a document that can be named, and the mean number of words of a sentence.
N_SENTENCES = 10
N_SENTENCE_WORDS = 14


def drawn(n_probes: int) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Distributions of texts (one row per split), the atoms, and what is drawn again."""
    draw = numpy.random.default_rng(SEED)
    # From nearly decided splits to open ones.
    concentrations = numpy.exp(draw.uniform(-4.5, -1, n_probes))
    weights = draw.gamma(concentrations[:, None], 1.0, (n_probes, N_TEXTS)) + 1e-12
    shares = weights / weights.sum(axis=1, keepdims=True)
    places = draw.random((n_probes, 1 + N_DRAWS))
    texts = (places[:, :, None] > shares.cumsum(axis=1)[:, None, :]).sum(axis=2)
    return shares, texts[:, 0], texts[:, 1:]


def rows_of(home: Home, is_same: pyarrow.Array, n_tables: int) -> tuple[list[dict], list[dict]]:
    """The rows of `commitment` and of `commitment_summary`, a table being a scope."""
    made = Simulations(home, 1, 1)
    n_rows = len(is_same)
    probes = numpy.arange(n_rows // N_DRAWS)
    n_probes = len(probes)
    tables = (probes * n_tables // n_probes).astype(str)
    keys = {
        "probe_id": numpy.repeat(probes, N_DRAWS),
        "continuation_idx": numpy.tile(numpy.arange(N_DRAWS), n_probes),
    }
    given = {
        "resample_passages": pyarrow.table(
            {
                **keys,
                "round_number": numpy.ones(n_rows, int),
                "is_written": numpy.zeros(n_rows, bool),
                "is_empty": numpy.zeros(n_rows, bool),
                "was_cut": numpy.zeros(n_rows, bool),
                "has_atom": is_same.fill_null(False),
            }
        ),
        "resample_answers": pyarrow.table({**keys, "is_same": is_same}),
        "judge_scores": pyarrow.table(
            {
                "probe_id": numpy.zeros(0, int),
                "arm": numpy.zeros(0, str),
                "answer_number": numpy.zeros(0, int),
                "score": numpy.zeros(0),
            }
        ),
        "probes": pyarrow.table(
            {
                "probe_id": probes,
                "source_model": numpy.repeat("m", n_probes),
                "doc_id": probes.astype(str),
                "slot_idx": numpy.ones(n_probes, int),
                "scope": tables,
                "is_written": numpy.zeros(n_probes, bool),
                "typicality": numpy.repeat("typical", n_probes),
            }
        ),
        "probe_scores": pyarrow.table({"probe_id": probes[:0], "score_mean": numpy.zeros(0)}),
    }
    return made.rows("commitment", **given), made.rows("commitment", "commitment_summary", **given)


def print_agreement(tables: list[dict], shares: numpy.ndarray) -> None:
    """Print agreement and the best score, each beside the truth."""
    of_all = [row for row in tables if row["recurrence"] == "all" and row["typicality"] == "all"]
    agreement = (shares**2).sum(axis=1).reshape(len(of_all), -1).mean(axis=1)
    best = shares.max(axis=1).reshape(len(of_all), -1).mean(axis=1)
    of_all.sort(key=lambda row: int(row["scope"]))

    def mean(name: str) -> float:
        return float(numpy.mean([row[name] for row in of_all]))

    print(f"agreement A, the truth                             {agreement.mean():.3f}")
    print(f"agreement A, measured                              {mean('agreement'):.3f}")
    print(f"score of naming the most probable text             {best.mean():.3f}")
    print(f"  at least A                                       {mean('agreement'):.3f}")
    print(f"  at most its root                                 {mean('agreement') ** 0.5:.3f}")
    below, within = numpy.mean(
        [
            (
                row["agreement_low"] <= true <= row["agreement_high"],
                row["best_score_min"] <= score <= row["best_score_max"],
            )
            for row, true, score in zip(of_all, agreement, best, strict=True)
        ],
        axis=0,
    )
    print(f"tables whose interval of A covers it               {below:.1%}")
    print(f"tables whose ends, with their intervals, hold it   {within:.1%}")
    print()


def print_words(home: Home, n_tables: int) -> None:
    """Print the same for words, of which the first half are function words."""
    n_probes = n_tables * N_PROBES
    shares, atoms, again = drawn(4 * n_probes)
    is_asked = numpy.flatnonzero(atoms >= N_FUNCTION_WORDS)[:n_probes]
    shares, atoms, again = shares[is_asked], atoms[is_asked], again[is_asked]
    content = shares[:, N_FUNCTION_WORDS:]
    content = content / content.sum(axis=1, keepdims=True)
    is_same = (again == atoms[:, None]).ravel()
    is_draw = (again >= N_FUNCTION_WORDS).ravel()
    print("words, draws of function words left out")
    print_agreement(rows_of(home, pyarrow.array(is_same, mask=~is_draw), n_tables)[1], content)
    print("words, draws of function words counted as disagreement")
    print_agreement(rows_of(home, pyarrow.array(is_same), n_tables)[1], content)


def print_contrast(
    home: Home, shares: numpy.ndarray, atoms: numpy.ndarray, again: numpy.ndarray
) -> None:
    """Print how often the more probable text is the atom, against two kinds of resampled texts."""
    n_probes, n_draws = again.shape
    answers = pyarrow.table(
        {
            "round_number": numpy.ones(again.size, int),
            "probe_id": numpy.repeat(numpy.arange(n_probes), n_draws),
            "continuation_idx": numpy.tile(numpy.arange(n_draws), n_probes),
            "answer": again.ravel().astype(str),
            "is_same": (again == atoms[:, None]).ravel(),
        }
    )
    rows = Simulations(home, 1, 1).rows("resampled_texts", resample_answers=answers)
    first = {row["probe_id"]: int(row["resampled_text"]) for row in rows}
    differs = again != atoms[:, None]
    differing = {
        probe: again[probe, differs[probe].argmax()] for probe in numpy.flatnonzero(differs.any(1))
    }
    print("the more probable of two texts is the atom")
    for name, texts in (("first draw", first), ("first draw that differs", differing)):
        probes = numpy.array([*texts])
        chance = shares[probes, atoms[probes]]
        other = shares[probes, numpy.array([*texts.values()])]
        print(f"  resampled text: {name:26} {len(probes):7,} probes {(chance > other).mean():7.3f}")


def print_typicality(shares: numpy.ndarray, atoms: numpy.ndarray, again: numpy.ndarray) -> None:
    """Print the same for the first draw by typicality, the other four draws being the siblings."""
    resampled, siblings = again[:, 0], again[:, 1:]
    probes = numpy.flatnonzero(resampled != atoms)
    preferred = shares[probes, atoms[probes]] > shares[probes, resampled[probes]]
    n_same = (siblings == atoms[:, None]).sum(axis=1)[probes]
    for name, among in (
        ("typical, in two siblings or more", n_same >= 2),
        ("atypical, in no sibling", n_same == 0),
    ):
        print(f"  {name:43} {among.sum():7,} probes {preferred[among].mean():7.3f}")
    print()


def split_in_sentence(
    draw: numpy.random.Generator, named: str, n_documents: int, n_words: int
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Which of the first words after splits end a sentence: of documents, and of continuations."""
    chance = 1 / N_SENTENCE_WORDS
    lengths = draw.geometric(chance, (n_documents, N_SENTENCES + n_words))
    # A split is between two words.
    n_places = lengths[:, :N_SENTENCES] - 1
    weights = {
        "the longest": n_places == n_places.max(axis=1, keepdims=True),
        "any": n_places > 0,
        "by its length": n_places,
    }[named]
    limits = weights.cumsum(axis=1)
    sentence = (draw.random((n_documents, 1)) * limits[:, -1:] >= limits).sum(axis=1)
    every = numpy.arange(n_documents)
    words_before = draw.integers(1, lengths[every, sentence])
    ends = lengths.cumsum(axis=1) - lengths.cumsum(axis=1)[every, sentence][:, None]
    ends += (lengths[every, sentence] - words_before)[:, None]
    again = draw.geometric(chance, (n_documents, n_words)).cumsum(axis=1)
    words = numpy.arange(1, n_words + 1)
    atom, other = ((places[:, :, None] == words).any(axis=1) for places in (ends, again))
    return atom, other


def print_choice_of_split(n_documents: int) -> None:
    """Print which text is more probable, and whether both are the same, by the named sentence."""
    draw = numpy.random.default_rng(SEED)
    agreements = []
    print("the more probable of two texts is the atom, ties half, by the sentence of the split")
    for named in ("the longest", "any", "by its length"):
        print(f"  sentence named: {named:14}", end="")
        for n_words in (4, 8, 16):
            atom, again = split_in_sentence(draw, named, n_documents, n_words)
            # The end of a sentence is less probable than any other word.
            n_ends, n_other_ends = atom.sum(axis=1), again.sum(axis=1)
            preferred = ((n_ends < n_other_ends) + 0.5 * (n_ends == n_other_ends)).mean()
            print(f"{n_words:6} words {preferred:.3f}", end="")
            agreement = (atom == again).all(axis=1).mean()
            # Each continuation is independent of the next one.
            of_two = (again == numpy.roll(again, 1, axis=0)).all(axis=1).mean()
            best = numpy.unique(atom, axis=0, return_counts=True)[1].max() / n_documents
            agreements.append((named, n_words, agreement, of_two, agreement**0.5, best))
        print()
    print()
    print(
        "the text is the same: atom and continuation, two continuations; the root; the best score"
    )
    for named, n_words, *figures in agreements:
        print(f"  sentence named: {named:14}{n_words:6} words", *(f"{x:6.3f}" for x in figures))
    print()


def main() -> None:
    """Print the figures, each beside the truth."""
    n_tables = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    shares, atoms, again = drawn(n_tables * N_PROBES)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(ROOT, Path(folder))
        is_same = pyarrow.array((again == atoms[:, None]).ravel())
        probes, tables = rows_of(home, is_same, n_tables)
        print("lenses")
        print_agreement(tables, shares)
        print_words(home, n_tables)
        print_contrast(home, shares, atoms, again)
    print_typicality(shares, atoms, again)
    print_choice_of_split(n_tables * N_PROBES)
    print(f"{'band':8} {'probes':>7} {'truth':>7} {'other half':>11}   ", end="")
    print("band and figure from all five: truth, figure")
    chance = shares[numpy.arange(len(atoms)), atoms]
    recurred = (again == atoms[:, None]).mean(axis=1)
    rows = {row["probe_id"]: row for row in probes}
    bands = numpy.array([rows[probe]["recurrence"] for probe in range(len(atoms))])
    others = numpy.array([rows[probe]["other_mean"] for probe in range(len(atoms))])
    old = numpy.where(recurred == 0, "never", numpy.where(recurred < 0.5, "seldom", "often"))
    for band in ("never", "seldom", "often"):
        ours, before = bands == band, old == band
        print(
            f"{band:8} {ours.sum():7,} {chance[ours].mean():7.3f} {others[ours].mean():11.3f}   "
            f"{chance[before].mean():.3f}, {recurred[before].mean():.3f}"
        )


if __name__ == "__main__":
    main()
