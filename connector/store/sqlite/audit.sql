-- Who read or changed what. The rules for these files are in schema.sql.
--
-- SQLite plans a statement once for all arguments. So each combination of filters that needs an index of its own
-- is one part of a `union all`. A part whose first conditions are false reads nothing.

-- add_audit_entries (entries)

insert into audit (at, id, actor, action, connection_id, user_id, request_id, peer)
select
    e.value ->> 'at', e.value ->> 'id', e.value ->> 'actor', e.value ->> 'action',
    e.value ->> 'connection_id', e.value ->> 'user_id', e.value ->> 'request_id', e.value ->> 'peer'
from json_each(:entries) e
where true
on conflict (at, id) do nothing;

select changes() as written;

-- list_audit_entries (connection_id, user_id, actor, before_at, before_id, max_rows)

with matching (at, id) as (
    select b.at, b.id
    from (
        select a.at, a.id
        from audit a
        where a.connection_id = lower(:connection_id)
            and a.user_id = coalesce(
                :user_id,
                (select c.user_id from connections c where c.id = lower(:connection_id)),
                lower(:connection_id)
            )
            and (:user_id is null or a.user_id = :user_id)
            and (:actor is null or a.actor = :actor)
            and (a.at, a.id) < (coalesce(:before_at, '9999'), coalesce(:before_id, ''))
        order by a.at desc, a.id desc
        limit :max_rows
    ) b
    union all
    select b.at, b.id
    from (
        select a.at, a.id
        from audit a
        where :connection_id is null
            and a.user_id = :user_id
            and (:actor is null or a.actor = :actor)
            and (a.at, a.id) < (coalesce(:before_at, '9999'), coalesce(:before_id, ''))
        order by a.at desc, a.id desc
        limit :max_rows
    ) b
    union all
    select b.at, b.id
    from (
        select a.at, a.id
        from audit a
        where :connection_id is null
            and :user_id is null
            and a.actor = :actor
            and (a.at, a.id) < (coalesce(:before_at, '9999'), coalesce(:before_id, ''))
        order by a.at desc, a.id desc
        limit :max_rows
    ) b
    union all
    select b.at, b.id
    from (
        select a.at, a.id
        from audit a
        where coalesce(:connection_id, :user_id, :actor) is null
            and (a.at, a.id) < (coalesce(:before_at, '9999'), coalesce(:before_id, ''))
        order by a.at desc, a.id desc
        limit :max_rows
    ) b
)
select a.at, a.id, a.actor, a.action, a.connection_id, a.user_id, a.request_id, a.peer
from matching m
join audit a on a.at = m.at
    and a.id = m.id
order by a.at desc, a.id desc;

-- delete_old_audit_entries (before, max_rows)

delete from audit
where (at, id) in (
    select a.at, a.id
    from audit a
    where a.at < :before
    order by a.at
    limit :max_rows
);

select exists (
    select 1
    from audit a
    where a.at < :before
) as more_left;
