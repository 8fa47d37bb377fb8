-- Lists deliveries, and queues them again. The rules for these files are in access.sql.

drop function if exists
    public.connector_list_deliveries,
    public.connector_replay_deliveries;

create function public.connector_list_deliveries(
    p_endpoint_id uuid, p_state text, p_before_id bigint, p_max_rows integer
)
returns table (
    id bigint, event_id uuid, endpoint_id uuid, type text, seq bigint, state text, attempts integer,
    last_status integer, last_error text, last_at timestamptz, last_ms integer, due_at timestamptz,
    delivered_at timestamptz
)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    return query
    select
        d.id, e.id, d.endpoint_id, e.type, e.seq, d.state, d.attempts, d.last_status, d.last_error,
        d.last_at, d.last_ms, d.due_at, d.delivered_at
    from connector.deliveries d
    join connector.events e on e.position = d.event_position
    where (p_endpoint_id is null or d.endpoint_id = p_endpoint_id)
        and (p_state is null or d.state = p_state)
        and (p_before_id is null or d.id < p_before_id)
    order by d.id desc
    limit p_max_rows;
end
$$;

-- Queues events that the endpoint has not received, oldest first. A delivery that is queued stays as it is.
create function public.connector_replay_deliveries(
    p_endpoint_id uuid, p_since timestamptz, p_until timestamptz, p_patterns jsonb, p_again boolean,
    p_max_rows integer, p_now timestamptz
)
returns table (count bigint, more boolean, last_created_at timestamptz)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
    perform connector.require_service_role();
    -- Locked, so that nothing is queued if the endpoint is disabled or deleted meanwhile.
    perform
    from connector.endpoints p
    where p.id = p_endpoint_id
    for share;
    return query
    with replayed as (
        select e.position, e.created_at
        from connector.endpoints p
        cross join connector.events e
        where p.id = p_endpoint_id
            and p.state = 'enabled'
            and e.seq is not null
            and e.created_at >= p_since
            and (p_until is null or e.created_at < p_until)
            and connector.event_matches(e.type, coalesce(p_patterns, p.events))
            and not exists (
                select
                from connector.deliveries d
                where d.event_position = e.position
                    and d.endpoint_id = p.id
                    and (d.state = 'pending' or (d.state = 'delivered' and not p_again))
            )
        order by e.created_at, e.position
        limit p_max_rows
        -- An event that is being deleted is left out.
        for key share of e skip locked
    ),
    queued as (
        insert into connector.deliveries as d (event_position, endpoint_id, state, due_at)
        select r.position, p_endpoint_id, 'pending', v_now
        from replayed r
        order by r.created_at, r.position
        on conflict (event_position, endpoint_id) do update
        set
            state = 'pending',
            attempts = 0,
            due_at = excluded.due_at
        -- Another call may have queued the event meanwhile.
        where d.state <> 'pending'
    )
    select count(*), count(*) = p_max_rows, max(r.created_at)
    from replayed r;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
