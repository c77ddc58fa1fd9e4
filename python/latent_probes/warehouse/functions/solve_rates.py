"""Estimate a probe's solve rate from a few answers, with a beta-binomial model.

Of n answers to a probe, k solve it, that is, score at least a threshold. Each probe has its own
solve rate. The rates of a group of probes follow a beta distribution, the prior, fitted to the
group's counts by maximum likelihood. A probe's posterior adds k to the first parameter and n - k to
the second.

The likelihood depends on three tallies for each i: probes with more than i solving answers, with
more than i failing answers, and with more than i answers in all. It is maximized by Newton's method
in the logarithms of both parameters or, where that gives a higher value, by the fixed-point
iteration of Minka ("Estimating a Dirichlet distribution", 2000, for two outcomes). Tallies are sums
over documents, so the bootstrap weights them like any other sum.

One pseudo-probe keeps the prior away from its limits if probes are few or all alike; among hundreds
it has no effect. It has two answers with the outcomes of a uniform prior: one third solved by both
answers, one third by one, one third by none.
"""

from __future__ import annotations

import numpy

from latent_probes.warehouse.functions import intervals

# Shares of the pseudo-probe with more than 0 and more than 1 solving (or failing) answers.
INVENTED = (2 / 3, 1 / 3)
# Longest step in the logarithms of the parameters, and the step below which iteration stops.
LONGEST_STEP = 1.0
SHORTEST_STEP = 1e-6
MOST_STEPS = 200
# If all rates are alike, the likelihood grows with the prior's precision without limit. The
# precision is capped at this many answers.
SUREST = 10_000


def tallies(counts: numpy.ndarray) -> numpy.ndarray:
    """Tallies with one row per document, and one column per kind of tally and i.

    ``counts`` has rows of: index of the document (0-based), n, k, number of probes.
    """
    documents, n_answers, n_solved, n_probes = counts.T
    # At least as many as the pseudo-probe has.
    i = numpy.arange(max(int(n_answers.max()), len(INVENTED)))
    exceeds = numpy.hstack(
        [column[:, None] > i for column in (n_solved, n_answers - n_solved, n_answers)]
    )
    sums = numpy.zeros((int(documents.max()) + 1, exceeds.shape[1]))
    numpy.add.at(sums, documents.astype(int), exceeds * n_probes[:, None])
    return sums


def fitted(totals: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Both parameters of the prior, for each row of tallies."""
    outcomes = numpy.stack(numpy.split(totals.astype(float), 3, axis=1))
    for outcome, invented in zip(outcomes, (INVENTED, INVENTED, (1, 1)), strict=True):
        outcome[:, : len(invented)] += invented
    logs = numpy.zeros((len(totals), 2))
    moving = numpy.arange(len(totals))
    for _ in range(MOST_STEPS):
        before = logs[moving]
        logs[moving] = climbed(outcomes[:, moving], before)
        moving = moving[numpy.abs(logs[moving] - before).max(axis=1) > SHORTEST_STEP]
        if not len(moving):
            break
    return tuple(numpy.exp(logs.T))


def climbed(outcomes: numpy.ndarray, logs: numpy.ndarray) -> numpy.ndarray:
    """One step up the likelihood for each row: logarithms of both parameters.

    Newton's step, or the fixed-point step if that gives a higher likelihood: the latter never
    decreases it, and finds the right mean where rates are so alike that Newton's steps only raise
    the precision.
    ``outcomes`` are the tallies of solving, failing and all answers, one row each.
    """
    parameters = numpy.exp(logs)
    parts = divided(outcomes, parameters)
    solved, unsolved, answered = parts.sum(axis=2)
    solved_curve, unsolved_curve, answered_curve = divided(parts, parameters).sum(axis=2)
    slopes = parameters * numpy.column_stack([solved - answered, unsolved - answered])
    # Second derivatives: for each parameter, and mixed.
    alphas, betas = (
        parameters**2
        * (answered_curve[:, None] - numpy.column_stack([solved_curve, unsolved_curve]))
        + slopes
    ).T
    both = parameters.prod(axis=1) * answered_curve
    steps = numpy.column_stack(
        [both * slopes[:, 1] - betas * slopes[:, 0], both * slopes[:, 0] - alphas * slopes[:, 1]]
    )
    with numpy.errstate(divide="ignore", invalid="ignore"):
        steps /= (alphas * betas - both**2)[:, None]
    newton = bounded(logs + numpy.clip(steps, -LONGEST_STEP, LONGEST_STEP))
    fixed_point = bounded(
        logs + numpy.log(numpy.column_stack([solved, unsolved]) / answered[:, None])
    )
    is_higher = log_likelihood(outcomes, newton) >= log_likelihood(outcomes, fixed_point)
    return numpy.where(is_higher[:, None], newton, fixed_point)


def bounded(logs: numpy.ndarray) -> numpy.ndarray:
    """Parameters with the same mean and capped precision."""
    sums = numpy.exp(logs).sum(axis=1)
    return logs - numpy.log(numpy.maximum(sums / SUREST, 1))[:, None]


def divided(outcomes: numpy.ndarray, parameters: numpy.ndarray) -> numpy.ndarray:
    """Each tally divided by its parameter plus i; for all answers, by the sum of both."""
    sums = numpy.stack([*parameters.T, parameters.sum(axis=1)])
    return outcomes / (sums[:, :, None] + numpy.arange(outcomes.shape[2]))


def log_likelihood(outcomes: numpy.ndarray, logs: numpy.ndarray) -> numpy.ndarray:
    """Log-likelihood of the tallies for each row, up to a constant."""
    parameters = numpy.exp(logs)
    sums = numpy.stack([*parameters.T, parameters.sum(axis=1)])
    values = outcomes * numpy.log(sums[:, :, None] + numpy.arange(outcomes.shape[2]))
    solved, unsolved, answered = values.sum(axis=2)
    return solved + unsolved - answered


def of_unsolved(
    alpha: numpy.ndarray, beta: numpy.ndarray, most_answers: int, highest_rate: float
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Estimates for probes that none of n answers solves, with a column for n = 1, 2, …

    Returns three shares for each prior: of unsolved probes; of unsolved probes with a solve rate
    above ``highest_rate`` (mislabelled); and of unsolved probes that at least one of an equal
    number of new answers would solve (re-solved).
    """
    from scipy.special import betaincc, betaln

    alpha, beta = numpy.reshape(alpha, (-1, 1)), numpy.reshape(beta, (-1, 1))
    n_answers = numpy.arange(1, most_answers + 1)

    def log_unsolved(n: numpy.ndarray) -> numpy.ndarray:
        return betaln(alpha, beta + n) - betaln(alpha, beta)

    # Each further answer takes away the density at the rate, divided by the second parameter:
    # recurrence of the incomplete beta function (DLMF 8.17.21), ten times as fast as its values.
    seconds = beta + n_answers[:-1]
    with numpy.errstate(divide="ignore"):
        logs = numpy.log(highest_rate), numpy.log1p(-highest_rate)
    lost = numpy.exp(alpha * logs[0] + seconds * logs[1] - betaln(alpha, seconds))
    mislabelled = betaincc(alpha, beta + 1, highest_rate) - numpy.pad(
        numpy.cumsum(lost / seconds, axis=1), ((0, 0), (1, 0))
    )
    return (
        numpy.exp(log_unsolved(n_answers)),
        numpy.maximum(mislabelled, 0),
        -numpy.expm1(log_unsolved(2 * n_answers) - log_unsolved(n_answers)),
    )


def described(
    counts: numpy.ndarray, highest_rate: float, most_answers: int, n_replicates: int, seed: int
) -> dict:
    """The prior of a group, and the shares of its unsolved probes by number of answers.

    Keys: alpha, beta, by_answers. The latter has, for 1 to ``most_answers`` answers, the keys
    n_answers, unsolved, mislabelled, re_solved, and the ends of the intervals of the last two
    (None for fewer than five documents).
    """
    sums = tallies(counts)
    alpha, beta = fitted(sums.sum(axis=0, keepdims=True))
    (unsolved,), (mislabelled,), (re_solved,) = of_unsolved(alpha, beta, most_answers, highest_rate)
    none = (None, None)
    ends: list[tuple[float, float] | tuple[None, None]] = [none] * (2 * most_answers)
    if len(sums) >= intervals.FEWEST_DOCUMENTS:
        alphas, betas = fitted(intervals.replicated(sums, n_replicates, seed))
        _, *shares = of_unsolved(alphas, betas, most_answers, highest_rate)
        ends = [intervals.ends(values, len(sums)) or none for values in numpy.hstack(shares).T]
    return {
        "alpha": float(alpha[0]),
        "beta": float(beta[0]),
        "by_answers": [
            {
                "n_answers": n,
                "unsolved": unsolved[n - 1],
                "mislabelled": mislabelled[n - 1],
                "mislabelled_low": ends[n - 1][0],
                "mislabelled_high": ends[n - 1][1],
                "re_solved": re_solved[n - 1],
                "re_solved_low": ends[most_answers + n - 1][0],
                "re_solved_high": ends[most_answers + n - 1][1],
            }
            for n in range(1, most_answers + 1)
        ],
    }
