"""How often a probe would be solved, judged by a few answers to it: a beta-binomial model.

Of n answers to a probe, k solve it: they score at least a threshold. Each probe has a solve rate of
its own, and the rates of a group of probes follow a beta distribution, the prior, which is fitted
to the counts of the group by maximum likelihood. What is then known of one probe is the beta
distribution with k added to the first parameter and n - k to the second.

The likelihood depends on three tallies for each i: the probes with more than i answers that solve
them, with more than i that do not, and with more than i answers at all. Its maximum is reached by
Newton's method in the logarithms of both parameters, and, where that leads higher, by the fixed
point of Minka ("Estimating a Dirichlet distribution", 2000, for two outcomes). Tallies are sums
over documents: the bootstrap weighs them as it weighs any other.

One invented probe keeps the prior away from its limits where probes are few or all alike; among
hundreds it weighs nothing. It is answered twice, with the outcomes that are equally likely where
nothing is known: a third of it is solved by both answers, a third by one, a third by none.
"""

from __future__ import annotations

import numpy

from latent_probes.warehouse.functions import intervals

# Shares of the invented probe with more than 0 and more than 1 solved answers, or unsolved ones.
INVENTED = (2 / 3, 1 / 3)
# Of the parameters' logarithms: a step that is longer is cut, one that is shorter is the last.
LONGEST_STEP = 1.0
SHORTEST_STEP = 1e-6
MOST_STEPS = 200
# Rates that are all alike have no prior that is the likeliest: the surer, the better. This one is
# as sure as so many answers.
SUREST = 10_000


def tallies(counts: numpy.ndarray) -> numpy.ndarray:
    """One row per document, with a column per kind of tally and i.

    ``counts`` has rows of: number of the document from 0 on, n, k, and how many probes.
    """
    documents, n_answers, n_solved, n_probes = counts.T
    # No fewer than the invented probe has.
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
    """The logarithms of both parameters one step up the likelihood, for each row.

    Newton's step, or that of the fixed point where it leads higher: it never leads down, and it has
    the right mean where rates are so alike that Newton's only makes them surer.
    ``outcomes`` are tallies of solved and unsolved answers and of all, each with a row.
    """
    parameters = numpy.exp(logs)
    parts = divided(outcomes, parameters)
    solved, unsolved, answered = parts.sum(axis=2)
    solved_curve, unsolved_curve, answered_curve = divided(parts, parameters).sum(axis=2)
    slopes = parameters * numpy.column_stack([solved - answered, unsolved - answered])
    # Second derivatives: by either parameter, and by both.
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
    """Parameters with the same mean that are no surer than the surest."""
    sums = numpy.exp(logs).sum(axis=1)
    return logs - numpy.log(numpy.maximum(sums / SUREST, 1))[:, None]


def divided(outcomes: numpy.ndarray, parameters: numpy.ndarray) -> numpy.ndarray:
    """Each tally divided by its parameter plus i; that of all answers by the sum of both."""
    sums = numpy.stack([*parameters.T, parameters.sum(axis=1)])
    return outcomes / (sums[:, :, None] + numpy.arange(outcomes.shape[2]))


def log_likelihood(outcomes: numpy.ndarray, logs: numpy.ndarray) -> numpy.ndarray:
    """That of the tallies, up to what does not depend on the parameters, for each row."""
    parameters = numpy.exp(logs)
    sums = numpy.stack([*parameters.T, parameters.sum(axis=1)])
    values = outcomes * numpy.log(sums[:, :, None] + numpy.arange(outcomes.shape[2]))
    solved, unsolved, answered = values.sum(axis=2)
    return solved + unsolved - answered


def of_unsolved(alpha: numpy.ndarray, beta: numpy.ndarray, n_answers, highest_rate: float):
    """What the prior says of probes that none of so many answers solves.

    Three shares, of the shape of all arguments together: of probes that are such; of such probes
    whose solve rate is above ``highest_rate`` all the same; of such probes that one of as many new
    answers would solve.
    """
    from scipy.special import betaincc, betaln

    def unsolved(n):
        return numpy.exp(betaln(alpha, beta + n) - betaln(alpha, beta))

    return (
        unsolved(n_answers),
        betaincc(alpha, beta + n_answers, highest_rate),
        1 - unsolved(2 * n_answers) / unsolved(n_answers),
    )


def described(
    counts: numpy.ndarray, highest_rate: float, most_answers: int, n_replicates: int, seed: int
) -> dict:
    """The prior of a group, and the shares of its unsolved probes by the number of answers.

    Keys: alpha, beta, by_answers. The latter has for 1 to ``most_answers`` answers the keys
    n_answers, unsolved, mislabelled, re_solved, and the ends of the last two's intervals, which
    are None for fewer than five documents.
    """
    sums = tallies(counts)
    n_answers = numpy.arange(1, most_answers + 1)
    (alpha,), (beta,) = fitted(sums.sum(axis=0, keepdims=True))
    unsolved, mislabelled, re_solved = of_unsolved(alpha, beta, n_answers, highest_rate)
    ends = [(None, None)] * (2 * most_answers)
    if len(sums) >= intervals.FEWEST_DOCUMENTS:
        alphas, betas = fitted(intervals.replicated(sums, n_replicates, seed))
        _, *shares = of_unsolved(alphas[:, None], betas[:, None], n_answers, highest_rate)
        ends = [intervals.ends(values, len(sums)) for values in numpy.hstack(shares).T]
    return {
        "alpha": float(alpha),
        "beta": float(beta),
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
