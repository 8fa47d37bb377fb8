-- Deliveries of events to endpoints. The rules for these files are in schema.sql.

-- lease_due_deliveries (lease_owner, max_rows, max_per_endpoint, lease_seconds, now)

create temp table if not exists leased_deliveries (
    id  integer primary key
);

delete from leased_deliveries;

insert into leased_deliveries (id)
select d.id
from endpoints p
cross join deliveries d on d.id in (
    select w.id
    from (
        select o.id, row_number() over (order by o.due_at, o.id) as rank
        from (
            select t.id, t.due_at
            from deliveries t
            where t.endpoint_id = p.id
                and t.state = 'pending'
                and t.due_at <= :now
            order by t.due_at, t.id
            limit :max_per_endpoint
        ) o
    ) w
    where w.rank <= case when p.failing_since is null then :max_per_endpoint else 8 end - (
        select count(*)
        from deliveries b indexed by deliveries_leased
        where b.endpoint_id = p.id
            and b.lease_owner is not null
            and b.state = 'pending'
            and b.due_at > :now
    )
)
where p.state = 'enabled'
    and not exists (
        select 1
        from deliveries b indexed by deliveries_leased
        where b.endpoint_id = p.id
            and b.lease_owner is not null
            and b.lease_owner <> :lease_owner
            and b.state = 'pending'
            and b.due_at > :now
    )
order by d.due_at, d.id
limit :max_rows;

update deliveries as d
set
    lease_owner = :lease_owner,
    due_at = add_seconds(:now, :lease_seconds)
from leased_deliveries l
where d.id = l.id;

select
    d.id, e.id as event_id, d.endpoint_id, d.attempts, p.url, p.encrypted_secrets, e.seq, e.type,
    e.data, e.created_at
from leased_deliveries l
join deliveries d on d.id = l.id
join events e on e.position = d.event_position
join endpoints p on p.id = d.endpoint_id
order by e.seq, d.id;

-- settle_deliveries (results, lease_owner, disable_after_seconds, now)

create temp table if not exists settled_deliveries (
    id             integer primary key,
    endpoint_id    text not null,
    state          text not null,
    endpoint_gone  integer not null,
    result         text not null
);

delete from settled_deliveries;

insert into settled_deliveries (id, endpoint_id, state, endpoint_gone, result)
select d.id, d.endpoint_id, i.value ->> 'state', i.value ->> 'endpoint_gone', i.value
from json_each(:results) i
join deliveries d on d.id = i.value ->> 'id'
where d.lease_owner = :lease_owner
    and d.state = 'pending';

update deliveries as d
set
    state = s.state,
    attempts = d.attempts + 1,
    due_at = case when s.state = 'pending'
        then add_seconds(:now, s.result ->> 'delay_seconds')
    end,
    lease_owner = null,
    last_status = s.result ->> 'status',
    last_error = s.result ->> 'error',
    last_at = :now,
    last_ms = s.result ->> 'duration_ms',
    delivered_at = case when s.state = 'delivered' then :now else d.delivered_at end
from settled_deliveries s
where d.id = s.id;

insert into delivery_counts (endpoint_id, hour, delivered, failed)
select
    s.endpoint_id, substr(:now, 1, 13), sum(s.state = 'delivered'),
    sum(s.state <> 'delivered')
from settled_deliveries s
group by s.endpoint_id
on conflict (endpoint_id, hour) do update
set
    delivered = delivered + excluded.delivered,
    failed = failed + excluded.failed;

update endpoints as p
set
    failing_since = case when c.delivered = 0 then coalesce(p.failing_since, :now) end,
    failures = case when c.delivered = 0 then p.failures + c.failed else 0 end,
    last_success_at = case when c.delivered = 0 then p.last_success_at else :now end
from (
    select
        s.endpoint_id, sum(s.state = 'delivered') as delivered,
        sum(s.state <> 'delivered') as failed
    from settled_deliveries s
    group by s.endpoint_id
) c
where p.id = c.endpoint_id;

create temp table if not exists disabled_endpoints (
    id      text primary key,
    reason  text not null
);

delete from disabled_endpoints;

insert into disabled_endpoints (id, reason)
select
    p.id,
    case when s.is_gone
        then 'The endpoint responded with 410 (Gone).'
        else 'No delivery has succeeded since ' || substr(p.failing_since, 1, 10) || '.'
    end
from endpoints p
join (
    select s.endpoint_id, max(s.endpoint_gone) as is_gone
    from settled_deliveries s
    group by s.endpoint_id
) s on s.endpoint_id = p.id
where p.state = 'enabled'
    and (
        s.is_gone
        or (
            p.failing_since <= add_seconds(:now, -:disable_after_seconds)
            and exists (
                select 1
                from deliveries d
                where d.endpoint_id = p.id
                    and d.state = 'exhausted'
                    and d.last_at >= p.failing_since
            )
        )
    );

update endpoints as p
set
    state = 'disabled',
    disabled_reason = n.reason,
    updated_at = :now
from disabled_endpoints n
where p.id = n.id;

update deliveries
set
    state = 'dropped',
    due_at = null,
    lease_owner = null
where state = 'pending'
    and endpoint_id in (
        select n.id
        from disabled_endpoints n
    );

insert into events (id, type, data, created_at)
select
    new_uuid(), 'endpoint.disabled',
    json_object('endpoint', json_object('id', p.id, 'url', p.url, 'reason', n.reason)), :now
from disabled_endpoints n
join endpoints p on p.id = n.id;

select n.id
from disabled_endpoints n;

-- release_deliveries (lease_owner, now)

update deliveries
set
    lease_owner = null,
    due_at = :now
where lease_owner = :lease_owner
    and state = 'pending';

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
order by e.position
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
    due_at = excluded.due_at;

select
    count(*) as count, count(*) = :max_rows as more, max(e.created_at) as last_created_at
from replayed_events r
join events e on e.position = r.position;
