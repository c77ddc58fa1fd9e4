-- Sentences are those of the current text, and their words are its words.
select document_id
from {{ ref('rollout_measures') }} as measures
left join {{ ref('continuation_sentences') }} as sentences using (document_id, text_hash)
group by document_id, measures.n_words, measures.continuation_length
having
    coalesce(sum(sentences.n_words), 0) != measures.n_words
    or coalesce(max(sentences.ends_at), 0) > measures.continuation_length

union all

select document_id
from {{ ref('continuation_sentences') }}
anti join {{ ref('rollout_measures') }} using (document_id, text_hash)

union all

select document_id
from {{ ref('rollout_eligibility') }}
where isnan(copied_share) or isnan(language_share) or isnan(prose_share)
