-- Deletes old rows. The rules for these files are in access.sql.

drop function if exists public.connector_delete_old_rows;

-- Deletes at most `p_max_rows` rows of each table, because one call must end long before the statement
-- timeout that applies to PostgREST. Returns no row if another process deletes, or nothing is due.
--
-- An attempt is checked once, when it is old enough: it may be one of the last attempts of its connection,
-- or it pushes older ones out of these. So the work depends on the number of new attempts, not of all. For
-- `between`, see connector_list_attempts.
create function public.connector_delete_old_rows(
    p_code_seconds double precision, p_attempt_seconds double precision, p_keep_attempts integer,
    p_event_seconds double precision, p_webhook_seconds double precision,
    p_count_seconds double precision, p_interval_seconds double precision, p_max_rows integer,
    p_now timestamptz
)
returns table (more_left boolean)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_codes_before timestamptz := v_now - make_interval(secs => p_code_seconds);
    v_attempts_before timestamptz := v_now - make_interval(secs => p_attempt_seconds);
    v_events_before timestamptz := v_now - make_interval(secs => p_event_seconds);
    v_webhooks_before timestamptz := v_now - make_interval(secs => p_webhook_seconds);
    v_event record;
    v_until_position bigint;
    v_until_seq bigint;
    v_from timestamptz;
    v_until timestamptz;
    v_deleted_attempts bigint;
    v_more_left boolean;
begin
    perform connector.require_service_role();
    insert into connector.cleanup (id, next_run_at, attempts_from, attempts_until)
    values (1, v_now, '-infinity', '-infinity')
    on conflict (id) do nothing;

    -- The lock lasts until the end of the call. If the process is killed, another one starts again.
    select k.attempts_until
    into v_from
    from connector.cleanup k
    where k.next_run_at <= v_now
    for update skip locked;
    if not found then
        return;
    end if;

    delete from connector.codes
    where code_hash = any (
        array (
            select c.code_hash
            from connector.codes c
            where c.created_at < v_codes_before
            order by c.created_at
            limit p_max_rows
        )
    );

    -- There is no index on the time of an event. The first events by position are the oldest ones, and the loop reads few
    -- others. An event without a number stays, because readers would not notice that they miss the event. The deliveries
    -- are deleted with their events.
    for v_event in
        select e.position, e.seq, e.created_at
        from connector.events e
        order by e.position
        limit p_max_rows
    loop
        exit when v_event.created_at >= v_events_before or v_event.seq is null;
        v_until_position := v_event.position;
        v_until_seq := greatest(v_until_seq, v_event.seq);
    end loop;
    delete from connector.events e
    where e.position <= v_until_position;
    update connector.event_numbers n
    set deleted_until = v_until_seq
    where n.id = 1
        and v_until_seq > n.deleted_until;

    -- Those that were too many when their endpoint was disabled. No row is waited for, because connector_settle_deliveries
    -- locks rows in another order.
    update connector.deliveries d
    set
        state = 'dropped',
        due_at = null,
        lease_owner = null
    where d.id = any (
        array (
            select w.id
            from connector.endpoints p
            cross join lateral (
                select t.id
                from connector.deliveries t
                where t.endpoint_id = p.id
                    and t.state = 'pending'
                limit p_max_rows
                for update skip locked
            ) w
            where p.state = 'disabled'
            limit p_max_rows
        )
    );

    delete from connector.delivery_counts
    where hour < v_events_before;

    delete from connector.webhooks
    where digest = any (
        array (
            select w.digest
            from connector.webhooks w
            where w.received_at < v_webhooks_before
            order by w.received_at
            limit p_max_rows
        )
    );

    delete from connector.attempt_counts
    where hour < v_now - make_interval(secs => p_count_seconds);

    select coalesce(max(w.at), v_from)
    into v_until
    from (
        select a.at
        from connector.attempts a
        where a.at > v_from
            and a.at < v_attempts_before
        order by a.at
        limit p_max_rows
    ) w;

    delete from connector.attempts
    where id = any (
        array (
            select a.id
            from connector.attempts a
            where a.at > v_from
                and a.at <= v_until
                and a.connection_id is null
            union all
            select o.id
            from (
                select distinct a.connection_id
                from connector.attempts a
                where a.at > v_from
                    and a.at <= v_until
                    and a.connection_id is not null
            ) n
            cross join lateral (
                select s.id
                from connector.attempts s
                where s.connection_id between n.connection_id and n.connection_id
                order by s.connection_id, s.id desc
                offset p_keep_attempts
                limit 1
            ) l
            cross join lateral (
                select s.id
                from connector.attempts s
                where s.connection_id = n.connection_id
                    and s.id <= l.id
                    and s.at < v_attempts_before
                limit p_max_rows
            ) o
            limit p_max_rows
        )
    );
    get diagnostics v_deleted_attempts = row_count;
    if v_deleted_attempts = p_max_rows then
        -- The window may have more. The next call checks it again.
        v_until := v_from;
    end if;

    v_more_left :=
        exists (
            select
            from connector.attempts a
            where a.at > v_until
                and a.at < v_attempts_before
        )
        or exists (
            select
            from connector.codes c
            where c.created_at < v_codes_before
        )
        or exists (
            select
            from (
                select e.seq, e.created_at
                from connector.events e
                order by e.position
                limit 1
            ) o
            where o.created_at < v_events_before
                and o.seq is not null
        )
        or exists (
            select
            from connector.endpoints p
            join connector.deliveries d on d.endpoint_id = p.id
                and d.state = 'pending'
            where p.state = 'disabled'
        )
        or exists (
            select
            from connector.webhooks w
            where w.received_at < v_webhooks_before
        );
    update connector.cleanup
    set
        next_run_at = v_now
            + make_interval(secs => case when v_more_left then 0 else p_interval_seconds end),
        attempts_from = v_from,
        attempts_until = v_until;
    return query
    select v_more_left;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
