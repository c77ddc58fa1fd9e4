-- A word or lens is typical if enough siblings hold it, atypical if none does; every suffix probe
-- was compared with at least two others.
select probe_id
from {{ ref('probes') }}
join {{ ref('round_settings') }} as settings using (round_number)
where
    target = 'suffix'
    and (
        coalesce(siblings_compared < 2, true)
        or not is_written
        and case typicality
            when 'typical'
                then siblings_matched < least(settings.typical_siblings, siblings_compared)
            when 'atypical' then siblings_matched > 0
            else true
        end
    )
