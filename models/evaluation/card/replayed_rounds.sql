-- One row per round with probes whose responses were replayed from a recording: how many, of which models,
-- from which files, and when they were recorded.
select
    requests.round_number,
    list(distinct requests.answering_model order by requests.answering_model) as models,
    list(
        distinct requests.recording_file || ' (SHA-256 ' || requests.recording_sha256 || ')'
        order by requests.recording_file || ' (SHA-256 ' || requests.recording_sha256 || ')'
    ) filter (where requests.recording_sha256 is not null) as recordings,
    sum(requests.n_requests)::bigint as n_responses,
    coalesce(sum(requests.n_requests) filter (where requests.is_estimated), 0)::bigint as n_estimated,
    min(requests.recorded_on) as first_recorded_on,
    max(requests.recorded_on) as last_recorded_on,
from {{ ref('requests') }} as requests
join {{ ref('published_rounds') }} as rounds using (round_number)
where requests.recorded_on is not null and rounds.n_probes > 0
group by requests.round_number
order by requests.round_number
