-- Lists deliveries, and queues them again. The rules for these files are in schema.sql.

-- list_deliveries (endpoint_id, state, before_id, max_rows)

select
    d.id, e.id as event_id, d.endpoint_id, e.type, e.seq, d.state, d.attempts, d.last_status,
    d.last_error, d.last_at, d.last_ms, d.due_at, d.delivered_at
from deliveries d
join events e on e.position = d.event_position
where (:endpoint_id is null or d.endpoint_id = :endpoint_id)
    and (:state is null or d.state = :state)
    and (:before_id is null or d.id < :before_id)
order by d.id desc
limit :max_rows;

-- replay_deliveries (endpoint_id, since, until, patterns, again, max_rows, now)

create temp table if not exists replayed_events (
    position  integer primary key
);

delete from replayed_events;

insert into replayed_events (position)
select e.position
from endpoints p
cross join events e
where p.id = :endpoint_id
    and p.state = 'enabled'
    and e.seq is not null
    and e.created_at >= :since
    and (:until is null or e.created_at < :until)
    and exists (
        select 1
        from json_each(coalesce(:patterns, p.events)) m
        where e.type = m.value
            or (
                substr(m.value, -2) = '.*'
                and substr(e.type, 1, length(m.value) - 1)
                    = substr(m.value, 1, length(m.value) - 1)
            )
    )
    and not exists (
        select 1
        from deliveries d
        where d.event_position = e.position
            and d.endpoint_id = p.id
            and (d.state = 'pending' or (d.state = 'delivered' and not :again))
    )
order by e.created_at, e.position
limit :max_rows;

insert into deliveries (event_position, endpoint_id, state, due_at)
select r.position, :endpoint_id, 'pending', :now
from replayed_events r
where true
order by r.position
on conflict (event_position, endpoint_id) do update
set
    state = 'pending',
    attempts = 0,
    due_at = excluded.due_at
where state <> 'pending';

select
    count(*) as count, count(*) = :max_rows as more, max(e.created_at) as last_created_at
from replayed_events r
cross join events e on e.position = r.position;
