-- Deliveries of events to endpoints. The rules for these files are in access.sql.

drop function if exists
    public.connector_lease_due_deliveries,
    public.connector_settle_deliveries,
    public.connector_release_deliveries;

-- Leases the deliveries of an endpoint to one owner at a time. So a limit of open requests in one process holds in all
-- processes. An endpoint that is failing gets few deliveries, because each may take until the timeout.
--
-- The functions in this file are planned anew for each call, because a plan from the time when the table was small may read
-- the whole table later. They are called for many rows at once.
--
-- Only a pending delivery is leased. So queries for leased deliveries do not name the state: Postgres would use the index
-- for due deliveries, and read all deliveries that wait for an endpoint.
create function public.connector_lease_due_deliveries(
    p_lease_owner text, p_max_rows integer, p_max_per_endpoint integer,
    p_lease_seconds double precision, p_now timestamptz
)
returns table (
    id bigint, event_id uuid, endpoint_id uuid, attempts integer, url text, encrypted_secrets text,
    seq bigint, type text, created_at timestamptz, data_json text
)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
set plan_cache_mode = force_custom_plan
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
                least(
                    p_max_per_endpoint, case when p.failing_since is not null then 8 end
                ) - count(b.id) as max_rows
            from connector.endpoints p
            left join connector.deliveries b on b.endpoint_id = p.id
                and b.lease_owner is not null
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
            l.id, e.id, l.endpoint_id, l.attempts, p.url, p.encrypted_secrets, e.seq, e.type,
            e.created_at, e.data::text
        from leased l
        join connector.events e on e.position = l.event_position
        join connector.endpoints p on p.id = l.endpoint_id
        order by e.seq, l.id;
    end;
end
$$;

-- Stores the results of attempts. A result whose lease is lost changes nothing. Returns the endpoints that are disabled now.
--
-- At most `p_max_dropped` pending deliveries are dropped, because a million would take longer than the statement timeout, and
-- then no result could be stored. Nothing sends the others, and connector_delete_old_rows drops them.
create function public.connector_settle_deliveries(
    p_results jsonb, p_lease_owner text, p_disable_after_seconds double precision, p_max_dropped integer,
    p_now timestamptz
)
returns table (id uuid)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_endpoints jsonb;
    v_disabled jsonb;
begin
    perform connector.require_service_role();
    -- Locked first and in this order, as in connector_number_events and connector_update_endpoint. In another order two
    -- calls could wait for each other.
    perform
    from connector.endpoints p
    where p.id = any (
        array (
            select d.endpoint_id
            from connector.deliveries d
            where d.id = any (
                array (select (i.value ->> 'id')::bigint from jsonb_array_elements(p_results) i)
            )
        )
    )
    order by p.id
    for no key update;
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
                -- With `and`, Postgres would also look for a delivery if failing_since is null.
                or case
                    when p.failing_since <= v_now - make_interval(secs => p_disable_after_seconds)
                        then exists (
                            select
                            from connector.deliveries d
                            where d.endpoint_id = p.id
                                and d.state = 'exhausted'
                                and d.last_at >= p.failing_since
                        )
                    else false
                end
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

    if v_disabled is not null then
        update connector.deliveries d
        set
            state = 'dropped',
            due_at = null,
            lease_owner = null
        -- With `= 'pending'`, Postgres may read the whole index of pending deliveries.
        where d.state not in ('delivered', 'exhausted', 'dropped')
            and d.id = any (
                array (
                    select w.id
                    from jsonb_array_elements_text(v_disabled) n (id)
                    cross join lateral (
                        select t.id
                        from connector.deliveries t
                        where t.endpoint_id = n.id::uuid
                            and t.state = 'pending'
                        limit p_max_dropped
                    ) w
                    limit p_max_dropped
                )
            );
    end if;

    return query
    select n.id::uuid
    from jsonb_array_elements_text(v_disabled) n (id);
end
$$;

-- If another transaction has locked a row, the row keeps its lease.
create function public.connector_release_deliveries(p_lease_owner text, p_now timestamptz)
returns table (released bigint)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
set plan_cache_mode = force_custom_plan
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
    where d.id = any (
        array (
            select t.id
            from connector.deliveries t
            where t.lease_owner = p_lease_owner
            for update skip locked
        )
    );
    get diagnostics v_released = row_count;
    return query
    select v_released;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
