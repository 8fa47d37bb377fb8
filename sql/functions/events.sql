-- Numbers and lists events. The rules for these files are in access.sql.

drop function if exists
    public.connector_number_events,
    public.connector_get_event_bounds,
    public.connector_skip_event_numbers,
    public.connector_list_events,
    connector.event_data,
    connector.event_matches,
    connector.event_bounds;

-- The data of an event about a connection: its state at this time, without tokens. Names are cut, because an event has
-- at most 20 kB.
create function connector.event_data(p_connection connector.connections)
returns jsonb
language sql stable
set search_path = ''
as $$
    select jsonb_build_object(
        'connection', jsonb_build_object(
            'id', p_connection.id,
            'user_id', p_connection.user_id,
            'family', p_connection.family,
            'tiktok_user_id', p_connection.tiktok_user_id,
            'status', p_connection.status,
            'account', case when p_connection.profile is not null
                then jsonb_build_object(
                    'id', p_connection.profile ->> 'id',
                    'name', left(p_connection.profile ->> 'name', 200)
                )
            end,
            'advertiser', case when p_connection.selected_advertiser is not null
                then jsonb_build_object(
                    'id', p_connection.selected_advertiser ->> 'id',
                    'name', left(p_connection.selected_advertiser ->> 'name', 200)
                )
            end,
            'advertiser_lost', p_connection.advertiser_lost
        ),
        'reason', case
            when p_connection.status in ('refresh_failing', 'reconnect_required')
                and p_connection.last_failure is not null
            then jsonb_build_object(
                'code', p_connection.last_failure ->> 'code',
                'message', left(p_connection.last_failure ->> 'message', 500)
            )
        end
    )
$$;

-- A pattern is a type of event, or a prefix such as `connection.*`.
create function connector.event_matches(p_type text, p_patterns jsonb)
returns boolean
language sql immutable
set search_path = ''
as $$
    select exists (
        select
        from jsonb_array_elements_text(p_patterns) m (pattern)
        where p_type = m.pattern
            or (right(m.pattern, 2) = '.*' and starts_with(p_type, left(m.pattern, -1)))
    )
$$;

-- Numbers committed events, and queues their deliveries. One process numbers at a time: its transaction holds the lock
-- until it has committed, so a reader never sees a number before all lower ones.
--
-- Rows are locked before they are counted. Otherwise an event that is erased meanwhile would still take a number, or an
-- endpoint that is deleted or disabled meanwhile would get a delivery.
create function public.connector_number_events(p_max_rows integer, p_now timestamptz)
returns table (numbered integer, more_left boolean, last_seq bigint, deliveries_due boolean)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_last_seq bigint;
    v_numbered integer := 0;
    v_is_behind boolean;
begin
    perform connector.require_service_role();
    v_is_behind := exists (
        select
        from connector.events w
        where w.seq is null
    );
    if v_is_behind and pg_try_advisory_xact_lock(hashtextextended('connector number_events', 0)) then
        insert into connector.event_numbers (id, last_seq, deleted_until)
        values (1, 0, 0)
        on conflict (id) do nothing;
        select n.last_seq
        into v_last_seq
        from connector.event_numbers n
        where n.id = 1;
        perform
        from connector.endpoints p
        where p.state = 'enabled'
        order by p.id
        for share;
        with input as (
            select w.position, v_last_seq + row_number() over (order by w.position) as seq
            from (
                select e.position
                from connector.events e
                where e.seq is null
                order by e.position
                limit p_max_rows
                for update skip locked
            ) w
        ),
        numbered as (
            update connector.events e
            set seq = i.seq
            from input i
            where e.position = i.position
                and e.position = any (array (select n.position from input n))
            returning e.position, e.seq, e.type
        ),
        queued as (
            insert into connector.deliveries (event_position, endpoint_id, state, due_at)
            select n.position, p.id, 'pending', v_now
            from numbered n
            join connector.endpoints p on p.state = 'enabled'
                and connector.event_matches(n.type, p.events)
            order by n.seq
        )
        select count(*)
        into v_numbered
        from numbered;
        update connector.event_numbers n
        set last_seq = v_last_seq + v_numbered
        where n.id = 1
            and v_numbered > 0;
        v_is_behind := v_numbered = p_max_rows
            and exists (
                select
                from connector.events w
                where w.seq is null
            );
    end if;
    return query
    select
        v_numbered, v_is_behind, b.last,
        exists (
            select
            from connector.endpoints p
            cross join lateral (
                select
                from connector.deliveries d
                where d.endpoint_id = p.id
                    and d.state = 'pending'
                    and d.due_at <= v_now
                limit 1
            ) d
            where p.state = 'enabled'
        )
    from connector.event_bounds() b;
end
$$;

create function connector.event_bounds()
returns table (oldest bigint, last bigint)
language sql stable
set search_path = ''
as $$
    select coalesce(max(n.deleted_until), 0) + 1, coalesce(max(n.last_seq), 0)
    from connector.event_numbers n
    where n.id = 1
$$;

create function public.connector_get_event_bounds()
returns table (oldest bigint, last bigint)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    return query
    select b.oldest, b.last
    from connector.event_bounds() b;
end
$$;

-- After a restore of an older backup, these numbers may have been used. A reader that has a skipped number, or a lower one,
-- is told that it has missed events.
create function public.connector_skip_event_numbers(p_count bigint)
returns table (oldest bigint, last bigint)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    -- Waits for connector_number_events, which would write a lower number.
    perform pg_advisory_xact_lock(hashtextextended('connector number_events', 0));
    insert into connector.event_numbers as n (id, last_seq, deleted_until)
    values (1, p_count, p_count)
    on conflict (id) do update
    set
        last_seq = n.last_seq + p_count,
        deleted_until = n.last_seq + p_count;
    return query
    select b.oldest, b.last
    from connector.event_bounds() b;
end
$$;

create function public.connector_list_events(
    p_after bigint, p_until bigint, p_patterns jsonb, p_connection_id uuid, p_max_rows integer
)
returns table (
    id uuid, seq bigint, type text, connection_id uuid, user_id text, data jsonb,
    created_at timestamptz
)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    return query
    select e.id, e.seq, e.type, e.connection_id, e.user_id, e.data, e.created_at
    from connector.events e
    where e.seq > p_after
        and e.seq <= p_until
        and (p_connection_id is null or e.connection_id = p_connection_id)
        and (p_patterns is null or connector.event_matches(e.type, p_patterns))
    order by e.seq
    limit p_max_rows;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
