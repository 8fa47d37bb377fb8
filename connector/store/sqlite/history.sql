-- Attempts, counts, and the deletion of old rows. The rules for these files are in schema.sql.

-- list_attempts (connection_id, max_rows)

select
    a.at, a.operation, a.actor, a.result, a.tiktok_code, a.message, a.request_id, a.duration_ms
from attempts a
where a.connection_id = :connection_id
order by a.id desc
limit :max_rows;

-- count_attempts_by_hour (user_id, since)

select
    (
        unixepoch(substr(a.at, 1, 19)) - unixepoch(substr(:since, 1, 19))
        - (substr(a.at, 20, 7) < substr(:since, 20, 7))
    ) / 3600 as hour,
    a.operation, a.result, count(*) as count
from attempts a
where a.at >= :since
    and (
        :user_id is null
        or a.connection_id in (
            select c.id
            from connections c
            where c.user_id = :user_id
        )
    )
group by 1, 2, 3
order by 1, 2, 3;

-- delete_old_rows (before, keep_attempts, events_before, max_rows)

delete from codes
where code_hash in (
    select c.code_hash
    from codes c
    where c.created_at < :before
    limit :max_rows
);

delete from events
where id in (
    select e.id
    from events e
    where e.at < :events_before
    limit :max_rows
);

with over_limit as materialized (
    select
        n.connection_id,
        (
            select a.id
            from attempts a
            where a.connection_id = n.connection_id
            order by a.id desc
            limit 1
            offset :keep_attempts
        ) as newest_surplus_id
    from (
        select a.connection_id
        from attempts a
        where a.connection_id is not null
        group by a.connection_id
        having count(*) > :keep_attempts
    ) n
)
delete from attempts
where id in (
    select a.id
    from over_limit l
    join attempts a on a.connection_id = l.connection_id
        and a.id <= l.newest_surplus_id
    where a.at < :before
    union all
    select a.id
    from attempts a
    where a.connection_id is null
        and a.at < :before
    limit :max_rows
);

select
    changes() = :max_rows
    or exists (
        select 1
        from codes c
        where c.created_at < :before
    )
    or exists (
        select 1
        from events e
        where e.at < :events_before
    ) as more_left;
