"""Drawing atoms takes memory for the candidates, not for a text with each of them."""

from __future__ import annotations

import duckdb
import jinja2
from conftest import ROOT

from latent_probes.common import sql

# 60 documents of 80,000 characters, each with 100 lenses.
TABLES = """
create table documents as
select i::varchar as document_id, repeat('a tea ', 13_333) as text from range(60) as numbers (i);
create table chosen_documents as
select 1 as round_number, document_id as doc_id, document_id from documents;
create table lens_candidates as
select round_number, doc_id, 'lens' as scope, 'suffix' as target, n, 2 as atom_start,
    2 + 6 * n as atom_end,
from chosen_documents, range(1, 101) as lengths (n);
create table word_candidates as
select *, 'tea' as atom_text, 'lower' as letter_case from lens_candidates limit 0;
create table verbalizer_templates as select 'lens' as scope, 'suffix' as target, '{n}?' as template;
create table slot_kinds as
select 5 as slot_idx, 'lens' as scope, 'suffix' as target, 'word_lens' as split_group,
    false as is_written;
create table splits as
select round_number, doc_id, document_id, 'word_lens' as split_group, 2 as split_offset,
    null::varchar as rejection_reason,
from chosen_documents;
create table index_draws as
select round_number, doc_id, 5 as slot_idx, 0.0 as share, 1 as n from chosen_documents;
"""


def test_no_text_of_a_document_is_kept_with_each_candidate():
    template = (ROOT / "models" / "probes" / "templated_atoms.sql").read_text()
    rules = ("text_between", "is_blank", "words_of", "index_weight")
    names = {rule: lambda *given, rule=rule: sql.macro(rule, *given) for rule in rules}
    query = jinja2.Template(template).render(ref=lambda name: name, **names)
    with duckdb.connect(config={"threads": 1, "temp_directory": ""}) as connection:
        connection.execute(TABLES)
        connection.execute("set memory_limit = '100MB'")
        found = connection.execute(f"select distinct n, atom_text from ({query})").fetchall()
    assert found == [(1, "tea a ")]
