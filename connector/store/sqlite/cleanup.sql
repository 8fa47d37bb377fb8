-- Deletes old rows. The rules for these files are in schema.sql.

-- delete_old_rows (code_seconds, attempt_seconds, keep_attempts, event_seconds, webhook_seconds, count_seconds, interval_seconds, max_rows, now)

insert into cleanup (id, next_run_at, attempts_from, attempts_until)
values (1, :now, '', '')
on conflict (id) do nothing;

update cleanup as k
set
    attempts_from = k.attempts_until,
    attempts_until = coalesce(
        (
            select max(w.at)
            from (
                select a.at
                from attempts a
                where a.at > k.attempts_until
                    and a.at < add_seconds(:now, -:attempt_seconds)
                order by a.at
                limit :max_rows
            ) w
        ),
        k.attempts_until
    )
where k.next_run_at <= :now;

delete from codes
where code_hash in (
    select c.code_hash
    from cleanup k
    cross join codes c
    where k.next_run_at <= :now
        and c.created_at < add_seconds(:now, -:code_seconds)
    order by c.created_at
    limit :max_rows
);

create temp table if not exists old_events (
    position  integer primary key,
    seq       integer
);

delete from old_events;

insert into old_events (position, seq)
select o.position, o.seq
from cleanup k
cross join (
    select e.position, e.seq, e.created_at
    from events e
    order by e.position
    limit :max_rows
) o
where k.next_run_at <= :now
    and o.created_at < add_seconds(:now, -:event_seconds)
    and o.seq is not null;

delete from deliveries
where event_position in (
    select o.position
    from old_events o
);

delete from events
where position in (
    select o.position
    from old_events o
);

update event_numbers as n
set deleted_until = o.seq
from (
    select max(w.seq) as seq
    from old_events w
) o
where o.seq > n.deleted_until;

update deliveries
set
    state = 'dropped',
    due_at = null,
    lease_owner = null
where id in (
    select d.id
    from cleanup k
    cross join endpoints p
    cross join deliveries d on d.endpoint_id = p.id
    where k.next_run_at <= :now
        and p.state = 'disabled'
        and d.state = 'pending'
    limit :max_rows
);

delete from delivery_counts
where hour < substr(add_seconds(:now, -:event_seconds), 1, 13)
    and exists (
        select 1
        from cleanup k
        where k.next_run_at <= :now
    );

delete from webhooks
where digest in (
    select w.digest
    from cleanup k
    cross join webhooks w
    where k.next_run_at <= :now
        and w.received_at < add_seconds(:now, -:webhook_seconds)
    order by w.received_at
    limit :max_rows
);

delete from attempt_counts
where hour < add_seconds(:now, -:count_seconds)
    and exists (
        select 1
        from cleanup k
        where k.next_run_at <= :now
    );

with checked as materialized (
    select distinct a.connection_id
    from cleanup k
    cross join attempts a
    where k.next_run_at <= :now
        and a.at > k.attempts_from
        and a.at <= k.attempts_until
        and a.connection_id is not null
),
last_surplus as materialized (
    select
        n.connection_id,
        (
            select s.id
            from attempts s
            where s.connection_id = n.connection_id
            order by s.id desc
            limit 1
            offset :keep_attempts
        ) as id
    from checked n
)
delete from attempts
where id in (
    select a.id
    from cleanup k
    cross join attempts a
    where k.next_run_at <= :now
        and a.at > k.attempts_from
        and a.at <= k.attempts_until
        and a.connection_id is null
    union all
    select s.id
    from last_surplus l
    cross join attempts s
    where s.connection_id = l.connection_id
        and s.id <= l.id
        and s.at < add_seconds(:now, -:attempt_seconds)
    limit :max_rows
);

update cleanup
set attempts_until = attempts_from
where next_run_at <= :now
    and changes() = :max_rows;

update cleanup as k
set
    next_run_at = case
        when exists (
            select 1
            from attempts a
            where a.at > k.attempts_until
                and a.at < add_seconds(:now, -:attempt_seconds)
        )
        or exists (
            select 1
            from codes c
            where c.created_at < add_seconds(:now, -:code_seconds)
        )
        or exists (
            select 1
            from (
                select e.seq, e.created_at
                from events e
                order by e.position
                limit 1
            ) o
            where o.created_at < add_seconds(:now, -:event_seconds)
                and o.seq is not null
        )
        or exists (
            select 1
            from endpoints p
            cross join deliveries d on d.endpoint_id = p.id
            where p.state = 'disabled'
                and d.state = 'pending'
        )
        or exists (
            select 1
            from webhooks w
            where w.received_at < add_seconds(:now, -:webhook_seconds)
        ) then :now
        else add_seconds(:now, :interval_seconds)
    end
where k.next_run_at <= :now
returning next_run_at = :now as more_left;
