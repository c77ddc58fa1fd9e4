"""What choosing the best text reader costs a method, simulated: bench/choices.py [DOCUMENTS]

A method and text readers prefer the atom at random, so the method's accuracy minus that of a reader
is 0 on average; or one reader is better than the others by .1, and it is -.1; or each reader is
right in exactly half of the probes, as rules are for which wrong answers are balanced, so the best
in one half of the documents is bad in the other. The reader is chosen on the same probes, as it
was, or on the other half of the documents (model `contrast_baselines`).
DOCUMENTS is the number of documents per simulation (default: 50), each with three probes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import duckdb
import numpy
import pyarrow

from latent_probes import warehouse
from latent_probes.common.home import Home
from latent_probes.publication.queries import without_database
from latent_probes.warehouse import functions

ROOT = Path(__file__).parents[1]
N_SIMULATIONS = 300
N_READERS = 12
N_PROBES = 3
BETTER = 0.1
# The text reader on the same probes: the model before, and after.
DIFFERENCES = """
with readers as (
    select scope, method, avg(accuracy) as accuracy
    from contrast_margins
    where is_text_only
    group by all
),
before as (select scope, max(accuracy) as accuracy from readers group by scope),
after as (
    select scope, avg(contrast_baselines.accuracy) as accuracy
    from contrast_baselines
    join (select distinct scope, probe_id from contrast_margins) using (probe_id)
    group by scope
)
select
    avg(own.accuracy - before.accuracy), stddev(own.accuracy - before.accuracy),
    avg(own.accuracy - after.accuracy), stddev(own.accuracy - after.accuracy),
from (
    select scope, avg(accuracy) as accuracy
    from contrast_margins
    where not is_text_only
    group by scope
) as own
join before using (scope)
join after using (scope)
"""


def margins(n_documents: int, better: float, is_balanced: bool) -> pyarrow.Table:
    """One row per simulation (as a scope), method and probe."""
    draw = numpy.random.default_rng(1)
    n_rows = N_SIMULATIONS * (1 + N_READERS) * n_documents * N_PROBES
    place = numpy.arange(n_rows)
    probe, rest = place % N_PROBES, place // N_PROBES
    document, rest = rest % n_documents, rest // n_documents
    method, simulation = rest % (1 + N_READERS), rest // (1 + N_READERS)
    rates = numpy.where(method == 1, 0.5 + better, 0.5)
    chance = draw.random(n_rows)
    accuracy = chance < rates
    if is_balanced:
        # By rank: half of the probes of a reader in a simulation.
        by_reader = chance.reshape(-1, n_documents * N_PROBES)
        ranks = by_reader.argsort(axis=1).argsort(axis=1)
        accuracy = numpy.where(method > 0, (ranks < ranks.shape[1] / 2).ravel(), accuracy)
    documents = numpy.char.add(numpy.char.add(simulation.astype(str), "-"), document.astype(str))
    return pyarrow.table(
        {
            "method": method.astype(str),
            "is_text_only": method > 0,
            "measure": ["total"] * n_rows,
            "source_model": ["m"] * n_rows,
            "doc_id": documents,
            "probe_id": numpy.char.add(numpy.char.add(documents, "-"), probe.astype(str)),
            "scope": simulation.astype(str),
            "target": ["suffix"] * n_rows,
            "accuracy": accuracy.astype(float),
        }
    )


def differences(
    home: Home, n_documents: int, better: float, is_balanced: bool
) -> tuple[float, ...]:
    """Mean and standard deviation of the difference: reader of the same probes, of other ones."""
    with duckdb.connect() as connection:
        functions.register(connection)
        connection.register("contrast_margins", margins(n_documents, better, is_balanced))
        connection.execute(
            "create table document_halves as select source_model, doc_id, "
            "row_number() over (order by doc_id) % 2 + 1 as half "
            "from (select distinct source_model, doc_id from contrast_margins)"
        )
        ((name, text),) = warehouse.compiled(home, ("contrast_baselines",)).items()
        connection.execute(f"create table {name} as {without_database(text)}")
        return connection.execute(DIFFERENCES).fetchall()[0]


def main() -> None:
    """Print one line per kind of readers."""
    n_documents = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    print(f"{N_READERS} text readers, {n_documents} documents, {N_SIMULATIONS} simulations:")
    print("mean difference of method and reader (standard deviation of a simulation)")
    print(f"{'readers':24} {'truth':>6}  {'same probes':>16}  {'other documents':>16}")
    with tempfile.TemporaryDirectory() as folder:
        home = Home(ROOT, Path(folder))
        for readers, better, is_balanced in (
            ("alike", 0.0, False),
            ("one better by .1", BETTER, False),
            ("balanced", 0.0, True),
        ):
            before, before_sd, after, after_sd = differences(home, n_documents, better, is_balanced)
            cells = (f"{before:+.3f} ({before_sd:.3f})", f"{after:+.3f} ({after_sd:.3f})")
            print(f"{readers:24} {0 - better:>+6.2f}  {cells[0]:>16}  {cells[1]:>16}")


if __name__ == "__main__":
    main()
