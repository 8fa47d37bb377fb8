-- Attempts, and their numbers by hour. The rules for these files are in access.sql.

drop function if exists
    public.connector_list_attempts,
    public.connector_count_attempts_by_hour,
    public.connector_count_user_attempts_by_hour;

-- With `=` and `order by a.id`, Postgres may read the table backwards by its primary key until it has found
-- enough rows. So the order is that of the index, which `=` would make Postgres ignore.
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
    where a.connection_id between p_connection_id and p_connection_id
    order by a.connection_id, a.id desc
    limit p_max_rows;
end
$$;

-- Replaced instead of dropped, because a trigger needs the function at all times. In the order of the key,
-- because two transactions that lock the same rows in different orders would wait for each other.
create or replace function connector.count_attempts() returns trigger
language plpgsql
set search_path = ''
as $$
begin
    insert into connector.attempt_counts as t (hour, operation, result, slot, count)
    select
        date_trunc('hour', n.at, 'UTC'), n.operation, n.result, pg_backend_pid() % 32, count(*)
    from new_attempts n
    group by 1, 2, 3
    order by 1, 2, 3
    on conflict (hour, operation, result, slot) do update
    set count = t.count + excluded.count;
    return null;
end
$$;

-- Creating a trigger again would lock the table against all writers.
do $$
begin
    if not exists (
        select
        from pg_catalog.pg_trigger
        where tgrelid = 'connector.attempts'::regclass
            and tgname = 'attempts_counted'
    ) then
        create trigger attempts_counted
        after insert on connector.attempts
        referencing new table as new_attempts
        for each statement execute function connector.count_attempts();
    end if;
end
$$;

-- `p_since` is the start of an hour.
create function public.connector_count_attempts_by_hour(p_since timestamptz)
returns table (hour integer, operation text, result text, count bigint)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    return query
    select
        floor(extract(epoch from t.hour - p_since) / 3600)::integer, t.operation, t.result,
        sum(t.count)::bigint
    from connector.attempt_counts t
    where t.hour >= p_since
    group by 1, 2, 3
    order by 1, 2, 3;
end
$$;

-- Reads the attempts of the user's connections only. `offset 0` prevents a join in another order.
create function public.connector_count_user_attempts_by_hour(p_user_id text, p_since timestamptz)
returns table (hour integer, operation text, result text, count bigint)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    return query
    select
        floor(extract(epoch from a.at - p_since) / 3600)::integer, a.operation, a.result, count(*)
    from connector.connections c
    cross join lateral (
        select t.at, t.operation, t.result
        from connector.attempts t
        where t.connection_id = c.id
            and t.at >= p_since
        offset 0
    ) a
    where c.user_id = p_user_id
    group by 1, 2, 3
    order by 1, 2, 3;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
