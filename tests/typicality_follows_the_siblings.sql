-- A word or lens is typical if enough siblings contain it, atypical if none does, and otherwise without a
-- label; every drawn suffix probe was compared with at least two others.
-- Of adopted probes, the numbers are not published, except in the words of `distribution_check`.
select probe_id
from {{ ref('probes') }}
join {{ ref('round_settings') }} as settings using (round_number)
where
    not settings.is_adopted
    and (
        (siblings_compared is null) != (target = 'prefix')
        or (siblings_matched is null) != (target = 'prefix' or is_written)
        or target = 'suffix'
        and not is_written
        and siblings_compared < 2
        or target = 'suffix'
        and not is_written
        and case coalesce(typicality, 'neither')
            when 'typical'
                then siblings_matched < least(settings.typical_siblings, siblings_compared)
            when 'atypical' then siblings_matched > 0
            else
                siblings_matched not between 1 and
                least(settings.typical_siblings, siblings_compared) - 1
        end
    )
