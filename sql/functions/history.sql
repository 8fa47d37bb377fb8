-- Attempts, counts, and the deletion of old rows. The rules for these files are in access.sql.

drop function if exists
    public.connector_list_attempts,
    public.connector_count_attempts_by_hour,
    public.connector_delete_old_rows;

create function public.connector_list_attempts(p_connection_id uuid, p_max_rows integer)
returns table (
    at timestamptz, operation text, actor text, result text, tiktok_code text, message text,
    request_id text, duration_ms integer
)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    return query
    select
        a.at, a.operation, a.actor, a.result, a.tiktok_code, a.message, a.request_id, a.duration_ms
    from connector.attempts a
    where a.connection_id = p_connection_id
    order by a.id desc
    limit p_max_rows;
end
$$;

create function public.connector_count_attempts_by_hour(p_user_id text, p_since timestamptz)
returns table (hour integer, operation text, result text, count bigint)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    return query
    select
        floor(extract(epoch from a.at - p_since) / 3600)::integer as hour, a.operation, a.result,
        count(*)
    from connector.attempts a
    where a.at >= p_since
        and (
            p_user_id is null
            or a.connection_id in (
                select c.id
                from connector.connections c
                where c.user_id = p_user_id
            )
        )
    group by 1, 2, 3
    order by 1, 2, 3;
end
$$;

-- Deletes at most `p_max_rows` rows of each table, because one call must end long before the statement
-- timeout that applies to PostgREST.
create function public.connector_delete_old_rows(
    p_before timestamptz, p_keep_attempts integer, p_events_before timestamptz, p_max_rows integer
)
returns table (more_left boolean)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
    v_deleted_attempts bigint;
begin
    perform connector.require_service_role();
    delete from connector.codes
    where code_hash in (
        select c.code_hash
        from connector.codes c
        where c.created_at < p_before
        limit p_max_rows
    );

    delete from connector.events
    where id in (
        select e.id
        from connector.events e
        where e.at < p_events_before
        limit p_max_rows
    );

    with over_limit as (
        select a.connection_id
        from connector.attempts a
        where a.connection_id is not null
        group by a.connection_id
        having count(*) > p_keep_attempts
    ),
    surplus as (
        select o.id
        from over_limit l
        cross join lateral (
            select a.id, a.at
            from connector.attempts a
            where a.connection_id = l.connection_id
            order by a.id desc
            offset p_keep_attempts
        ) o
        where o.at < p_before
        union all
        select a.id
        from connector.attempts a
        where a.connection_id is null
            and a.at < p_before
        limit p_max_rows
    )
    delete from connector.attempts
    where id in (
        select s.id
        from surplus s
    );
    get diagnostics v_deleted_attempts = row_count;

    return query
    select
        v_deleted_attempts = p_max_rows
        or exists (
            select 1
            from connector.codes c
            where c.created_at < p_before
        )
        or exists (
            select 1
            from connector.events e
            where e.at < p_events_before
        );
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
