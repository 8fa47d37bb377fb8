-- Sessions that were ended before they expired. The rules for these files are in access.sql.

drop function if exists
    public.connector_end_session,
    public.connector_is_session_ended;

create function public.connector_end_session(
    p_session_hash text, p_keep_until timestamptz, p_now timestamptz
)
returns table (session_hash text)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
    perform connector.require_service_role();
    delete from connector.ended_sessions
    where keep_until < v_now;

    return query
    insert into connector.ended_sessions as s (session_hash, keep_until)
    values (p_session_hash, p_keep_until)
    on conflict (session_hash) do nothing
    returning s.session_hash;
end
$$;

create function public.connector_is_session_ended(p_session_hash text)
returns table (session_hash text)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    return query
    select s.session_hash
    from connector.ended_sessions s
    where s.session_hash = p_session_hash;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
