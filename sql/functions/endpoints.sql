-- The endpoints that events are sent to. The rules for these files are in access.sql.

drop function if exists
    public.connector_save_endpoint,
    public.connector_update_endpoint,
    public.connector_replace_endpoint_secrets,
    public.connector_delete_endpoint,
    public.connector_list_endpoints;

-- Inserts an endpoint, or replaces an endpoint and enables it.
create function public.connector_save_endpoint(
    p_endpoint_id uuid, p_url text, p_events jsonb, p_description text, p_encrypted_secrets text,
    p_now timestamptz
)
returns table (id uuid)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
    perform connector.require_service_role();
    return query
    insert into connector.endpoints as p (
        id, url, events, description, encrypted_secrets, state, created_at, updated_at
    )
    values (
        p_endpoint_id, p_url, p_events, p_description, p_encrypted_secrets, 'enabled', v_now, v_now
    )
    on conflict (id) do update
    set
        url = excluded.url,
        events = excluded.events,
        description = excluded.description,
        encrypted_secrets = excluded.encrypted_secrets,
        state = 'enabled',
        disabled_reason = null,
        failing_since = case when p.state = 'enabled' then p.failing_since end,
        failures = case when p.state = 'enabled' then p.failures else 0 end,
        updated_at = excluded.updated_at
    returning p.id;
end
$$;

-- Changes the columns whose argument is not null. The pending deliveries of an endpoint that is disabled are dropped, as in
-- connector_settle_deliveries.
create function public.connector_update_endpoint(
    p_endpoint_id uuid, p_url text, p_events jsonb, p_description text, p_state text,
    p_max_dropped integer, p_now timestamptz
)
returns table (id uuid)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
    perform connector.require_service_role();
    -- Locked before its deliveries, as in connector_settle_deliveries.
    perform
    from connector.endpoints p
    where p.id = p_endpoint_id
    for no key update;
    if p_state = 'disabled' then
        update connector.deliveries d
        set
            state = 'dropped',
            due_at = null,
            lease_owner = null
        where d.state = 'pending'
            and d.id = any (
                array (
                    select t.id
                    from connector.deliveries t
                    where t.endpoint_id = p_endpoint_id
                        and t.state = 'pending'
                    limit p_max_dropped
                )
            );
    end if;
    return query
    update connector.endpoints p
    set
        url = coalesce(p_url, p.url),
        events = coalesce(p_events, p.events),
        description = coalesce(p_description, p.description),
        failing_since = case when p_state is null then p.failing_since end,
        failures = case when p_state is null then p.failures else 0 end,
        disabled_reason = case
            when p_state is null then p.disabled_reason
            when p_state = 'disabled' then 'Disabled by request.'
        end,
        state = coalesce(p_state, p.state),
        updated_at = v_now
    where p.id = p_endpoint_id
    returning p.id;
end
$$;

-- Compares and swaps, so that two calls at the same time do not lose a secret.
create function public.connector_replace_endpoint_secrets(
    p_endpoint_id uuid, p_old text, p_new text, p_now timestamptz
)
returns table (id uuid)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
    perform connector.require_service_role();
    return query
    update connector.endpoints p
    set
        encrypted_secrets = p_new,
        updated_at = v_now
    where p.id = p_endpoint_id
        and p.encrypted_secrets = p_old
    returning p.id;
end
$$;

-- The deliveries are deleted with the endpoint.
create function public.connector_delete_endpoint(p_endpoint_id uuid)
returns table (id uuid)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    return query
    delete from connector.endpoints p
    where p.id = p_endpoint_id
    returning p.id;
end
$$;

create function public.connector_list_endpoints(p_endpoint_id uuid, p_now timestamptz)
returns table (
    id uuid, url text, events jsonb, description text, encrypted_secrets text, state text,
    disabled_reason text, failing_since timestamptz, failures integer, last_success_at timestamptz,
    created_at timestamptz, updated_at timestamptz, pending bigint, delivered_24h bigint,
    failed_24h bigint
)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
    perform connector.require_service_role();
    return query
    select
        p.id, p.url, p.events, p.description, p.encrypted_secrets, p.state, p.disabled_reason,
        p.failing_since, p.failures, p.last_success_at, p.created_at, p.updated_at,
        (
            select count(*)
            from connector.deliveries d
            where d.endpoint_id = p.id
                and d.state = 'pending'
        ),
        coalesce(c.delivered, 0)::bigint, coalesce(c.failed, 0)::bigint
    from connector.endpoints p
    left join lateral (
        select sum(n.delivered) as delivered, sum(n.failed) as failed
        from connector.delivery_counts n
        where n.endpoint_id = p.id
            and n.hour > v_now - interval '24 hours'
    ) c on true
    where p_endpoint_id is null
        or p.id = p_endpoint_id
    order by p.created_at, p.id;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
