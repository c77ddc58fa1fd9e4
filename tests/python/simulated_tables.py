"""Simulations of whole tables: how often their 95 % intervals hold what was put in.

A simulation is a group of the table's own: a reader, a judge, a level, a scope. So one run of a
model of the warehouse, as dbt compiled it, is a thousand simulations, and what is tried is the SQL
that people use, with the intervals it makes. An answer solves its probe with a rate that is known:
the probes of a document share it, and it follows a beta distribution; what does not solve is half
right at times.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from math import comb

import duckdb
import numpy
import pyarrow
from scipy.special import beta as beta_function

from latent_probes import warehouse
from latent_probes.common.home import Home
from latent_probes.publication.queries import without_database
from latent_probes.warehouse import functions

# So many rates, from a generator of random numbers.
Rates = Callable[[numpy.random.Generator, int], numpy.ndarray]

ALPHA, BETA = 0.6, 1.2
HALF_RIGHT = 0.1
N_ANSWERS = 5
# What an arm's reader solves of what the complement's does.
ARM_FACTOR = 0.5
LOST = 0.15  # of the slots of a calibration
# Share of the probes that have a rare finding, and the correlation of those of a document.
RARE, RARE_LIKENESS = 0.03, 0.1
SEED = 11
BINS = """
create table score_bins as
from (values (1, '[0.0, 0.4)', 0.0, 0.4, 'hard'), (2, '[0.4, 0.8)', 0.4, 0.8, 'middle'),
    (3, '[0.8, 1.0]', 0.8, null, 'easy')) as bins (bin, label, lower_bound, upper_bound, band)
"""
MANY = 4_000_000


def mixed(share: float, first: Rates, second: Rates) -> Rates:
    """Rates of which this share is drawn from the first, the others from the second."""
    return lambda draw, n: numpy.where(draw.random(n) < share, first(draw, n), second(draw, n))


def always(rate: float) -> Rates:
    """The same rate for all probes."""
    return lambda draw, n: numpy.full(n, rate)


def from_beta(alpha: float, beta: float) -> Rates:
    """Rates that follow a beta distribution."""
    return lambda draw, n: draw.beta(alpha, beta, n)


# Solve rates of probes; but for the first, no beta distribution fits them.
TRUTHS: dict[str, Rates] = {
    "Beta(.4, 1.2)": from_beta(0.4, 1.2),
    "half never, half Beta(4, 4)": mixed(0.5, always(0.0), from_beta(4, 4)),
    "60 % never, 40 % at .25": mixed(0.6, always(0.0), always(0.25)),
    "30 % never, 70 % at .15": mixed(0.3, always(0.0), always(0.15)),
    "40 % Beta(1, 20), 60 % Beta(6, 4)": mixed(0.4, from_beta(1, 20), from_beta(6, 4)),
}


class Simulations:
    """Probes of so many simulations with so many documents each."""

    def __init__(self, home: Home, n_simulations: int, n_documents: int):
        self.home = home
        self.draw = numpy.random.default_rng(SEED)
        documents = numpy.arange(n_simulations * n_documents)
        n_probes = self.draw.integers(1, 8, len(documents))
        rates = self.draw.beta(ALPHA, BETA, len(documents))
        self.documents = numpy.repeat(documents, n_probes)
        self.rates = numpy.repeat(rates, n_probes)
        self.simulations = self.documents // n_documents

    def scores(self, rates: numpy.ndarray) -> numpy.ndarray:
        """A row of scores for each probe."""
        shape = (len(rates), N_ANSWERS)
        half = numpy.where(self.draw.random(shape) < HALF_RIGHT, 0.5, 0.0)
        return numpy.where(self.draw.random(shape) < rates[:, None], 1.0, half)

    def probes(self, **columns) -> pyarrow.Table:
        """A table with a row per probe; a column that is a single value has it in each row."""
        n_rows = len(self.documents)
        columns = {
            "source_model": "m",
            "doc_id": self.documents.astype(str),
            "probe_id": numpy.arange(n_rows),
            **columns,
        }
        return pyarrow.table(
            {
                name: values if isinstance(values, numpy.ndarray) else [values] * n_rows
                for name, values in columns.items()
            }
        )

    def rows(self, *models: str, **tables: pyarrow.Table) -> list[dict]:
        """The rows of the last of these models, which are made in this order of these tables."""
        with duckdb.connect() as connection:
            functions.register(connection)
            connection.execute(BINS)
            for name, table in tables.items():
                connection.register(name, table)
            for model, text in warehouse.compiled(self.home, models).items():
                connection.execute(f"create table {model} as {without_database(text)}")
            return connection.sql(f"from {models[-1]}").to_arrow_table().to_pylist()


def methods(
    draw: numpy.random.Generator, effects: list[tuple[float, float]], n_documents: int
) -> numpy.ndarray:
    """Methods with these effects against no state and another document's.

    A row has document and method, and sum and number of probes under either condition.

    Two probes a document. The methods find the same documents easy.
    """
    spread = 0.5
    shared = draw.normal(0, spread, n_documents)
    noise = draw.normal(0, spread, (n_documents, len(effects), 2))
    means = numpy.asarray(effects) + shared[:, None, None] + noise
    return numpy.array(
        [
            [document, method, 2 * against_none, 2, 2 * against_another, 2]
            for document, of_document in enumerate(means)
            for method, (against_none, against_another) in enumerate(of_document)
        ]
    )


def in_pairs(rows: numpy.ndarray) -> numpy.ndarray:
    """Rows of `compare_methods`, of methods that answered the same probes of their documents."""
    by_document: dict[float, list[numpy.ndarray]] = {}
    for row in rows:
        by_document.setdefault(row[0], []).append(row)
    return numpy.array(
        [
            [
                document,
                first[1],
                second[1],
                is_no_state,
                first[column],
                second[column],
                first[column + 1],
            ]
            for document, of_document in by_document.items()
            for first, second in itertools.combinations(of_document, 2)
            for is_no_state, column in ((1, 2), (0, 4))
        ]
    ).reshape(-1, 7)


def unsolved(n_answers: int, factor: float = 1.0) -> float:
    """The mean of (1 - factor * rate) ** n_answers over the distribution of rates."""
    return sum(
        comb(n_answers, power)
        * (-factor) ** power
        * beta_function(ALPHA + power, BETA)
        / beta_function(ALPHA, BETA)
        for power in range(n_answers + 1)
    )


def figures(factor: float = 1.0) -> dict[str, float]:
    """What the scores of a reader are on average."""
    mean_rate = factor * ALPHA / (ALPHA + BETA)
    return {
        "mean score": mean_rate + (1 - mean_rate) * HALF_RIGHT / 2,
        "share not hard": 1 - unsolved(N_ANSWERS, factor) * (1 - HALF_RIGHT) ** N_ANSWERS,
        "share easy": 1 - unsolved(N_ANSWERS, factor),
    }


def held(rows: list[dict], figure: str, truth: float) -> float:
    """The share of the intervals of a figure that hold the truth, of those that there are."""
    ends = [(row[f"{figure}_low"], row[f"{figure}_high"]) for row in rows]
    return float(numpy.mean([low <= truth <= high for low, high in ends if low is not None]))


def of_arms(made: Simulations) -> Iterator[tuple[str, float]]:
    """`arm_lift`: estimates, and differences to the complement."""
    scores, complement = made.scores(ARM_FACTOR * made.rates), made.scores(made.rates)
    pairs = made.probes(
        arm="question_only",
        answerer_model=made.simulations,
        scope="s",
        target="t",
        typicality="t",
        atom_origin="t",
        score_mean=scores.mean(axis=1),
        score_max=scores.max(axis=1),
        complement_score_mean=complement.mean(axis=1),
        complement_score_max=complement.max(axis=1),
    )
    rows = made.rows("arm_lift", arm_pairs=pairs)
    in_complement = figures()
    for measure, truth in figures(ARM_FACTOR).items():
        ours = [row for row in rows if row["measure"] == measure and row["scope"] == "all"]
        yield f"arm_lift, {measure}", held(ours, "estimate", truth)
        difference = truth - in_complement[measure]
        yield f"arm_lift, {measure}, difference", held(ours, "difference", difference)


def of_bands(made: Simulations) -> Iterator[tuple[str, float]]:
    """`band_changes`: the share of all probes, and of HARD ones, that change their band."""
    scores, complement = made.scores(made.rates), made.scores(made.rates)
    pairs = made.probes(
        arm="held_out",
        n_compared=N_ANSWERS,
        scope=made.simulations.astype(str),
        score_max=scores.max(axis=1),
        complement_score_max=complement.max(axis=1),
    )
    # Nothing is judged again.
    retests = made.probes(
        comparison="human", scope="s", score=scores[:, 0], other_score=scores[:, 0]
    )
    rows = made.rows("band_changes", arm_pairs=pairs, score_pairs=retests)
    never_half = (1 - HALF_RIGHT) ** N_ANSWERS
    hard = unsolved(N_ANSWERS) * never_half
    twice = {
        "hard": unsolved(2 * N_ANSWERS) * never_half**2,
        "middle": unsolved(2 * N_ANSWERS) * (1 - never_half) ** 2,
        "easy": 1 - 2 * unsolved(N_ANSWERS) + unsolved(2 * N_ANSWERS),
    }
    for band, truth in (("all", 1 - sum(twice.values())), ("hard", 1 - twice["hard"] / hard)):
        ours = [row for row in rows if row["band"] == band and row["scope"] != "all"]
        yield f"band_changes, {band}", held(ours, "changed", truth)


def of_hardness(made: Simulations) -> Iterator[tuple[str, float]]:
    """`hardness_by_answers`: unsolved by three answers and solved by the other two, in five truths.

    The probes of a document are not alike here, as rates of a scope are those of its probes.
    """
    for name, drawn in TRUTHS.items():
        rates = drawn(made.draw, len(made.rates))
        truth = re_solved(drawn(numpy.random.default_rng(SEED), MANY))
        counts = made.probes(
            scope=made.simulations.astype(str),
            solve_threshold=0.8,
            n_answers=N_ANSWERS,
            n_solved=made.draw.binomial(N_ANSWERS, rates),
        )
        none = made.probes(
            arm="", scope="", n_compared=0, n_published=0, score_max=0.0, published_score_max=0.0
        )
        rows = made.rows("hardness_by_answers", solve_counts=counts, arm_pairs=none.slice(0, 0))
        ours = [row for row in rows if row["is_headline"] and row["scope"] != "all"]
        yield f"hardness_by_answers, {name}", held(ours, "re_solved", truth)


def re_solved(rates: numpy.ndarray) -> float:
    """Of the probes with these rates that three answers leave unsolved, what two more solve."""
    return float(1 - ((1 - rates) ** N_ANSWERS).mean() / ((1 - rates) ** 3).mean())


def of_anchors(made: Simulations) -> Iterator[tuple[str, float]]:
    """`judge_anchors`: the mean score, and both rates of errors."""
    rows = made.rows(
        "judge_anchors",
        judge_scores=made.probes(
            judge_model=made.simulations, anchor="empty", score=made.scores(made.rates)[:, 0]
        ).drop_columns(["source_model", "doc_id"]),
        answer_anchors=pyarrow.table({"anchor": ["empty"], "expected_score": ["low"]}),
        probes=made.probes(scope="s"),
    )
    ours = [row for row in rows if row["scope"] == "all"]
    solved = ALPHA / (ALPHA + BETA)
    for figure, truth in (
        ("score_mean", solved + (1 - solved) * HALF_RIGHT / 2),
        ("error_rate_middle", solved + (1 - solved) * HALF_RIGHT),
        ("error_rate_easy", solved),
    ):
        yield f"judge_anchors, {figure}", held(ours, figure, truth)


def of_agreement(made: Simulations) -> Iterator[tuple[str, float]]:
    """`judge_agreement`: the difference, flips over 0.4, and Krippendorff's alpha.

    The other judge gives nothing for half of what is half right.
    """
    scores = made.scores(made.rates)[:, 0]
    is_lost = (scores == 0.5) & (made.draw.random(len(scores)) < 0.5)
    pairs = made.probes(
        comparison="second judge",
        rater="first",
        other_rater=made.simulations,
        scope="s",
        score=scores,
        other_score=numpy.where(is_lost, 0.0, scores),
    )
    ours = [row for row in made.rows("judge_agreement", score_pairs=pairs) if row["scope"] == "all"]
    solved = ALPHA / (ALPHA + BETA)
    half = (1 - solved) * HALF_RIGHT
    mean = solved + half * 3 / 8
    variance = solved + half * 3 / 16 - mean**2
    for figure, truth in (
        ("difference", -half / 4),
        ("flip_rate_middle", half / 2),
        ("alpha", 1 - half / 8 / (2 * variance)),
    ):
        yield f"judge_agreement, {figure}", held(ours, figure, truth)


def of_calibration(made: Simulations) -> Iterator[tuple[str, float]]:
    """`calibration_sweep`: what becomes of slots, and how well probes are answered."""
    is_lost = made.draw.random(len(made.rates)) < LOST
    slots = made.probes(
        round_number=made.simulations,
        slot_idx=numpy.arange(len(made.rates)),
        scope="s",
        state=numpy.where(is_lost, "rejected", "probe"),
        rejection_reason=pyarrow.array(
            numpy.where(is_lost, "probe_missing", ""), pyarrow.string()
        ).to_numpy(zero_copy_only=False),
        score_max=made.scores(made.rates).max(axis=1),
    )
    with duckdb.connect() as connection:
        connection.register("slots", slots)
        given = {
            name: connection.sql(query).to_arrow_table()
            for name, query in {
                "slots": "select * replace (nullif(rejection_reason, '') as rejection_reason), "
                "from slots",
                "round_settings": "select distinct round_number, round_number as "
                "calibration_level, true as is_calibration, from slots",
                "slot_kinds": "select distinct slot_idx, true as is_written, from slots",
                "probes": "from slots where state = 'probe'",
                "probe_scores": "from slots where state = 'probe'",
                "calibration_requests": "select 1 as calibration_level, source_model, doc_id, "
                "1.0 as usd, from slots limit 0",
            }.items()
        }
    rows = made.rows("calibration_values", "calibration_sweep", **given)
    truths = figures()
    hard, easy = 1 - truths["share not hard"], truths["share easy"]
    middle = 1 - hard - easy
    mean = easy + middle / 2
    for measure, truth in (
        ("finalize rate", 1 - LOST),
        ("rejected: probe_missing", LOST),
        ("mean best score", mean),
        ("standard deviation of best score", (easy + middle / 4 - mean**2) ** 0.5),
        ("share hard", hard),
        ("share easy", easy),
        ("best score in [0.4, 0.8)", middle),
    ):
        ours = [row for row in rows if row["measure"] == measure and row["scope"] == "all"]
        yield f"calibration_sweep, {measure}", held(ours, "estimate", truth)


def of_findings(made: Simulations) -> Iterator[tuple[str, float]]:
    """`finding_summary`: a rare finding, also by how often it was found, and one of most probes."""
    parts = 1 / RARE_LIKENESS - 1
    rates = made.draw.beta(RARE * parts, (1 - RARE) * parts, made.documents.max() + 1)
    is_found = made.draw.random(len(made.documents)) < rates[made.documents]
    for name, values, truth in (
        ("rare", is_found, RARE),
        ("frequent", ~is_found, 1 - RARE),
    ):
        finding = made.simulations.astype(str)
        rows = made.rows(
            "finding_summary",
            probe_measures=made.probes(finding=finding, value=values.astype(float)).drop_columns(
                ["source_model", "doc_id"]
            ),
            findings=pyarrow.table(
                {
                    "finding": numpy.unique(finding),
                    "severity": ["note"] * len(numpy.unique(finding)),
                    "threshold": [1.0] * len(numpy.unique(finding)),
                }
            ),
            probes=made.probes(scope="s"),
        )
        ours = [row for row in rows if row["scope"] == "all"]
        yield f"finding_summary, {name}", held(ours, "share", truth)
        for n_found in (0, 1, 2):
            few = [
                row
                for row in ours
                if n_found
                == (row["n_found"] if name == "rare" else row["n_probes"] - row["n_found"])
            ]
            if few:
                seen = f"{n_found} {'found' if name == 'rare' else 'not found'} ({len(few)})"
                yield f"finding_summary, {name}, {seen}", held(few, "share", truth)


TABLES = (of_arms, of_bands, of_hardness, of_anchors, of_agreement, of_calibration)


def coverage(home: Home, n_simulations: int, n_documents: int) -> Iterator[tuple[str, float]]:
    """The share of intervals that hold the truth, for every figure of every table."""
    for of_table in (*TABLES, of_findings):
        yield from of_table(Simulations(home, n_simulations, n_documents))
