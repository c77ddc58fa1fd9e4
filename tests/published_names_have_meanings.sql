-- Each name in the published tables is explained in `meanings`, except for what a provider can name.
with

used (kind, name) as (

    select 'scope', scope from {{ ref('train') }}
    union
    select 'target', target from {{ ref('train') }}
    union
    select 'typicality', typicality from {{ ref('train') }}
    union
    select 'atom_origin', atom_origin from {{ ref('train') }}
    union
    select 'rejection_reason', rejection_reason from {{ ref('rejections') }}
    union
    select 'unscored_reason', unscored_reason from {{ ref('unscored') }}
    union
    select 'stage', stage from {{ ref('requests') }}
    union
    select 'provider', provider from {{ ref('requests') }}
    union
    select 'answer_format', answer_format from {{ ref('requests') }}
    union
    select 'rejection_reason', answer_rejection from {{ ref('requests') }}
    union
    select 'arm', arm from {{ ref('controls') }}
    union
    select 'state', state from {{ ref('published_rounds') }}
    union
    select 'calibration_level', calibration_level::varchar from {{ ref('published_rounds') }}
    union
    select 'kind', kind from {{ ref('rollout_provenance') }}
    union
    select 'outcome', outcome from {{ ref('rollout_quality') }}
    union
    select 'reason', reason from {{ ref('rollout_quality') }}
    union
    select 'arm', arm from {{ ref('arm_lift') }}
    union
    select 'measure', measure from {{ ref('arm_lift') }}
    union
    select 'anchor', anchor from {{ ref('judge_anchors') }}
    union
    select 'expected_score', expected_score from {{ ref('judge_anchors') }}
    union
    select 'comparison', comparison from {{ ref('judge_agreement') }}
    union
    select 'scope', scope from {{ ref('hardness_by_answers') }}
    union
    select 'new_answers', new_answers from {{ ref('hardness_by_answers') }}
    union
    select 'band', band from {{ ref('band_changes') }}
    union
    select 'comparison', comparison from {{ ref('band_changes') }}
    union
    select 'finding', finding from {{ ref('finding_summary') }}
    union
    select 'mark', mark from {{ ref('finding_marks') }}
    union
    select 'finding', finding from {{ ref('probe_findings') }}
    union
    select 'arm', arm from {{ ref('control_answers') }}
    union
    select 'severity', severity from {{ ref('finding_summary') }}
    union
    select 'fold', fold from {{ ref('folds') }}
    union
    select 'scope', scope from {{ ref('oracle_leaderboard') }}
    union
    select 'target', target from {{ ref('oracle_leaderboard') }}
    union
    select 'fold', fold from {{ ref('oracle_leaderboard') }}

)

select *
from used
where
    name is not null
    and not exists (
        select 1
        from {{ ref('meanings') }} as explained
        where explained.kind = used.kind and explained.name = used.name
    )
