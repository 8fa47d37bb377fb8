-- Deliveries of events to endpoints. The rules for these files are in access.sql.

drop function if exists
    public.connector_lease_due_deliveries,
    public.connector_settle_deliveries,
    public.connector_release_deliveries,
    public.connector_list_deliveries,
    public.connector_replay_deliveries;

-- Leases the deliveries of an endpoint to one owner at a time. So a limit of open requests in one process holds in all
-- processes. An endpoint that is failing gets few deliveries, because each may take until the timeout.
create function public.connector_lease_due_deliveries(
    p_lease_owner text, p_max_rows integer, p_max_per_endpoint integer,
    p_lease_seconds double precision, p_now timestamptz
)
returns table (
    id bigint, event_id uuid, endpoint_id uuid, attempts integer, url text, encrypted_secrets text,
    seq bigint, type text, data jsonb, created_at timestamptz
)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    -- One call at a time, because the number of leased deliveries is counted first.
    perform pg_advisory_xact_lock(hashtextextended('connector lease_due_deliveries', 0));
    -- The clock is read after the wait for the lock. Otherwise a lease that has ended might count as valid.
    declare
        v_now timestamptz := coalesce(p_now, clock_timestamp());
    begin
        return query
        with endpoints as (
            select
                p.id,
                case when p.failing_since is null then p_max_per_endpoint else 8 end - count(b.id)
                    as max_rows
            from connector.endpoints p
            left join connector.deliveries b on b.endpoint_id = p.id
                and b.lease_owner is not null
                and b.state = 'pending'
                and b.due_at > v_now
            where p.state = 'enabled'
            group by p.id
            having not coalesce(bool_or(b.lease_owner <> p_lease_owner), false)
        ),
        selected as (
            select d.id
            from endpoints p
            cross join lateral (
                select t.id, t.due_at
                from connector.deliveries t
                where t.endpoint_id = p.id
                    and t.state = 'pending'
                    and t.due_at <= v_now
                order by t.due_at, t.id
                limit greatest(p.max_rows, 0)
                for update skip locked
            ) d
            order by d.due_at, d.id
            limit p_max_rows
        ),
        leased as (
            update connector.deliveries d
            set
                lease_owner = p_lease_owner,
                due_at = v_now + make_interval(secs => p_lease_seconds)
            where d.id = any (array (select s.id from selected s))
            returning d.id, d.event_position, d.endpoint_id, d.attempts
        )
        select
            l.id, e.id, l.endpoint_id, l.attempts, p.url, p.encrypted_secrets, e.seq, e.type, e.data,
            e.created_at
        from leased l
        join connector.events e on e.position = l.event_position
        join connector.endpoints p on p.id = l.endpoint_id
        order by e.seq, l.id;
    end;
end
$$;

-- Stores the results of attempts. A result whose lease is lost changes nothing. Returns the endpoints that are disabled now.
create function public.connector_settle_deliveries(
    p_results jsonb, p_lease_owner text, p_disable_after_seconds double precision, p_now timestamptz
)
returns table (id uuid)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_endpoints jsonb;
    v_disabled jsonb;
begin
    perform connector.require_service_role();
    with input as (
        select i.*
        from jsonb_to_recordset(p_results) as i (
            id bigint, state text, delay_seconds double precision, status integer, error text,
            duration_ms integer, endpoint_gone boolean
        )
    ),
    settled as (
        update connector.deliveries d
        set
            state = i.state,
            attempts = d.attempts + 1,
            due_at = case when i.state = 'pending'
                then v_now + make_interval(secs => i.delay_seconds)
            end,
            lease_owner = null,
            last_status = i.status,
            last_error = i.error,
            last_at = v_now,
            last_ms = i.duration_ms,
            delivered_at = case when i.state = 'delivered' then v_now else d.delivered_at end
        from input i
        where d.id = i.id
            and d.id = any (array (select n.id from input n))
            and d.lease_owner = p_lease_owner
            and d.state = 'pending'
        returning d.endpoint_id, d.state, i.endpoint_gone
    ),
    counts as (
        select
            s.endpoint_id, count(*) filter (where s.state = 'delivered') as delivered,
            count(*) filter (where s.state <> 'delivered') as failed,
            bool_or(s.endpoint_gone) as is_gone
        from settled s
        group by s.endpoint_id
    ),
    counted as (
        insert into connector.delivery_counts as t (endpoint_id, hour, delivered, failed)
        select c.endpoint_id, date_trunc('hour', v_now, 'UTC'), c.delivered, c.failed
        from counts c
        order by c.endpoint_id
        on conflict (endpoint_id, hour) do update
        set
            delivered = t.delivered + excluded.delivered,
            failed = t.failed + excluded.failed
    )
    select jsonb_agg(to_jsonb(c))
    into v_endpoints
    from counts c;

    update connector.endpoints p
    set
        failing_since = case when c.delivered = 0 then coalesce(p.failing_since, v_now) end,
        failures = case when c.delivered = 0 then p.failures + c.failed else 0 end,
        last_success_at = case when c.delivered = 0 then p.last_success_at else v_now end
    from jsonb_to_recordset(v_endpoints) as c (endpoint_id uuid, delivered integer, failed integer)
    where p.id = c.endpoint_id;

    with disabled as (
        update connector.endpoints p
        set
            state = 'disabled',
            disabled_reason = case
                when c.is_gone then 'The endpoint responded with 410 (Gone).'
                else 'No delivery has succeeded since '
                    || to_char(p.failing_since at time zone 'UTC', 'YYYY-MM-DD') || '.'
            end,
            updated_at = v_now
        from jsonb_to_recordset(v_endpoints) as c (endpoint_id uuid, is_gone boolean)
        where p.id = c.endpoint_id
            and p.state = 'enabled'
            and (
                c.is_gone
                or (
                    p.failing_since <= v_now - make_interval(secs => p_disable_after_seconds)
                    and exists (
                        select
                        from connector.deliveries d
                        where d.endpoint_id = p.id
                            and d.state = 'exhausted'
                            and d.last_at >= p.failing_since
                    )
                )
            )
        returning p.id, p.url, p.disabled_reason
    ),
    inserted_events as (
        insert into connector.events (type, data, created_at)
        select
            'endpoint.disabled',
            jsonb_build_object(
                'endpoint', jsonb_build_object(
                    'id', n.id, 'url', n.url, 'reason', n.disabled_reason
                )
            ),
            v_now
        from disabled n
    )
    select jsonb_agg(n.id)
    into v_disabled
    from disabled n;

    update connector.deliveries d
    set
        state = 'dropped',
        due_at = null,
        lease_owner = null
    where d.state = 'pending'
        and d.endpoint_id = any (
            array (select n.id::uuid from jsonb_array_elements_text(v_disabled) n (id))
        );

    return query
    select n.id::uuid
    from jsonb_array_elements_text(v_disabled) n (id);
end
$$;

create function public.connector_release_deliveries(p_lease_owner text, p_now timestamptz)
returns table (released bigint)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_released bigint;
begin
    perform connector.require_service_role();
    update connector.deliveries d
    set
        lease_owner = null,
        due_at = v_now
    where d.lease_owner = p_lease_owner
        and d.state = 'pending';
    get diagnostics v_released = row_count;
    return query
    select v_released;
end
$$;

-- A plan is made for each call, because the index to use depends on which filters are null.
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
        order by e.position
        limit p_max_rows
    ),
    queued as (
        insert into connector.deliveries as d (event_position, endpoint_id, state, due_at)
        select r.position, p_endpoint_id, 'pending', v_now
        from replayed r
        order by r.position
        on conflict (event_position, endpoint_id) do update
        set
            state = 'pending',
            attempts = 0,
            due_at = excluded.due_at
    )
    select count(*), count(*) = p_max_rows, max(r.created_at)
    from replayed r;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
