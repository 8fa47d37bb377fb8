-- Numbers and lists events. The rules for these files are in schema.sql.

-- number_events (max_rows, now)

create temp table if not exists numbered_events (
    position  integer primary key,
    seq       integer not null
);

delete from numbered_events;

insert into numbered_events (position, seq)
select e.position, n.last_seq + row_number() over (order by e.position)
from (
    select w.position
    from events w
    where w.seq is null
    order by w.position
    limit :max_rows
) e
cross join event_numbers n;

update events as e
set seq = n.seq
from numbered_events n
where e.position = n.position;

insert into deliveries (event_position, endpoint_id, state, due_at)
select n.position, p.id, 'pending', :now
from numbered_events n
join events e on e.position = n.position
join endpoints p on p.state = 'enabled'
where exists (
    select 1
    from json_each(p.events) m
    where e.type = m.value
        or (
            substr(m.value, -2) = '.*'
            and substr(e.type, 1, length(m.value) - 1) = substr(m.value, 1, length(m.value) - 1)
        )
)
order by n.seq;

update event_numbers
set last_seq = (
    select max(n.seq)
    from numbered_events n
)
where exists (
    select 1
    from numbered_events n
);

select
    (
        select count(*)
        from numbered_events
    ) as numbered,
    exists (
        select 1
        from events w
        where w.seq is null
    ) as more_left,
    n.last_seq,
    exists (
        select 1
        from endpoints p
        join deliveries d on d.endpoint_id = p.id
        where p.state = 'enabled'
            and d.state = 'pending'
            and d.due_at <= :now
    ) as deliveries_due
from event_numbers n;

-- get_event_bounds ()

select n.deleted_until + 1 as oldest, n.last_seq as last
from event_numbers n;

-- list_events (after, until, patterns, connection_id, max_rows)

select e.id, e.seq, e.type, e.connection_id, e.user_id, e.data, e.created_at
from events e
where e.seq > :after
    and e.seq <= :until
    and (:connection_id is null or e.connection_id = :connection_id)
    and (
        :patterns is null
        or exists (
            select 1
            from json_each(:patterns) m
            where e.type = m.value
                or (
                    substr(m.value, -2) = '.*'
                    and substr(e.type, 1, length(m.value) - 1)
                        = substr(m.value, 1, length(m.value) - 1)
                )
        )
    )
order by e.seq
limit :max_rows;
