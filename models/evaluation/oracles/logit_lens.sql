-- One row per method, condition, layer, scope and target that the logit lens has read: how high the first
-- token of the atom ranks among all tokens.
select
    ranks.oracle,
    ranks.condition,
    ranks.layer,
    probes.scope,
    probes.target,
    count(*) as n_probes,
    median(ranks.atom_rank) as median_rank,
    avg((ranks.atom_rank = 1)::integer) as first_share,
    avg((ranks.atom_rank <= 10)::integer) as first_ten_share,
    avg(exp(ranks.atom_logprob)) as atom_probability,
    avg(exp(ranks.wrong_answer_logprob)) as wrong_answer_probability,
from {{ source('landing', 'oracle_token_ranks') }} as ranks
join {{ ref('probes') }} as probes using (probe_id)
group by ranks.oracle, ranks.condition, ranks.layer, probes.scope, probes.target
order by ranks.oracle, ranks.condition, ranks.layer, probes.scope, probes.target
