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
    where w.rank <= min(
        :max_per_endpoint,
        case when p.failing_since is not null then 8 else :max_per_endpoint end
    ) - (
        select count(*)
        from deliveries b indexed by deliveries_leased
        where b.endpoint_id = p.id
            and b.lease_owner is not null
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
            and b.due_at > :now
    )
order by d.due_at, d.id
limit :max_rows;

update deliveries
set
    lease_owner = :lease_owner,
    due_at = add_seconds(:now, :lease_seconds)
where id in (
    select l.id
    from leased_deliveries l
);

select
    json_group_array(
        json_object(
            'id', r.id, 'event_id', r.event_id, 'endpoint_id', r.endpoint_id, 'attempts', r.attempts,
            'url', r.url, 'encrypted_secrets', r.encrypted_secrets, 'seq', r.seq, 'type', r.type,
            'created_at', r.created_at, 'data_json', r.data
        )
    ) as json_rows
from (
    select
        d.id, e.id as event_id, d.endpoint_id, d.attempts, p.url, p.encrypted_secrets, e.seq, e.type,
        e.created_at, e.data
    from leased_deliveries l
    cross join deliveries d on d.id = l.id
    join events e on e.position = d.event_position
    join endpoints p on p.id = d.endpoint_id
    order by e.seq, d.id
) r;

-- settle_deliveries (results, lease_owner, disable_after_seconds, max_dropped, now)

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
cross join deliveries d on d.id = i.value ->> 'id'
where d.lease_owner = :lease_owner
on conflict (id) do nothing;

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
where d.id = s.id
    and d.id in (
        select w.id
        from settled_deliveries w
    );

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
where id in (
    select d.id
    from disabled_endpoints n
    cross join deliveries d on d.endpoint_id = n.id
    where d.state = 'pending'
    limit :max_dropped
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
where lease_owner = :lease_owner;
