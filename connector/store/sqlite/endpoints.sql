-- The endpoints that events are sent to. The rules for these files are in schema.sql.

-- save_endpoint (endpoint_id, url, events, description, encrypted_secrets, now)

insert into endpoints (
    id, url, events, description, encrypted_secrets, state, created_at, updated_at
)
values (:endpoint_id, :url, :events, :description, :encrypted_secrets, 'enabled', :now, :now)
on conflict (id) do update
set
    url = excluded.url,
    events = excluded.events,
    description = excluded.description,
    encrypted_secrets = excluded.encrypted_secrets,
    state = 'enabled',
    disabled_reason = null,
    failing_since = case when state = 'enabled' then failing_since end,
    failures = case when state = 'enabled' then failures else 0 end,
    updated_at = excluded.updated_at
returning id;

-- update_endpoint (endpoint_id, url, events, description, state, max_dropped, now)

update deliveries
set
    state = 'dropped',
    due_at = null,
    lease_owner = null
where :state = 'disabled'
    and id in (
        select d.id
        from deliveries d
        where d.endpoint_id = :endpoint_id
            and d.state = 'pending'
        limit :max_dropped
    );

update endpoints
set
    url = coalesce(:url, url),
    events = coalesce(:events, events),
    description = coalesce(:description, description),
    failing_since = case when :state is null then failing_since end,
    failures = case when :state is null then failures else 0 end,
    disabled_reason = case
        when :state is null then disabled_reason
        when :state = 'disabled' then 'Disabled by request.'
    end,
    state = coalesce(:state, state),
    updated_at = :now
where id = :endpoint_id
returning id;

-- replace_endpoint_secrets (endpoint_id, old, new, now)

update endpoints
set
    encrypted_secrets = :new,
    updated_at = :now
where id = :endpoint_id
    and encrypted_secrets = :old
returning id;

-- delete_endpoint (endpoint_id)

delete from deliveries
where endpoint_id = :endpoint_id;

delete from delivery_counts
where endpoint_id = :endpoint_id;

delete from endpoints
where id = :endpoint_id
returning id;

-- list_endpoints (endpoint_id, now)

select
    p.id, p.url, p.events, p.description, p.encrypted_secrets, p.state, p.disabled_reason,
    p.failing_since, p.failures, p.last_success_at, p.created_at, p.updated_at,
    (
        select count(*)
        from deliveries d
        where d.endpoint_id = p.id
            and d.state = 'pending'
    ) as pending,
    coalesce(c.delivered, 0) as delivered_24h,
    coalesce(c.failed, 0) as failed_24h
from endpoints p
left join (
    select n.endpoint_id, sum(n.delivered) as delivered, sum(n.failed) as failed
    from delivery_counts n
    where n.hour > substr(add_seconds(:now, -86400), 1, 13)
    group by n.endpoint_id
) c on c.endpoint_id = p.id
where :endpoint_id is null
    or p.id = :endpoint_id
order by p.created_at, p.id;
