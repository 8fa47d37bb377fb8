-- Who read or changed what. The rules for these files are in access.sql.

drop function if exists
    public.connector_add_audit_entries,
    public.connector_list_audit_entries,
    public.connector_delete_old_audit_entries;

-- An entry that exists is not written again: a call whose response was lost is repeated.
create function public.connector_add_audit_entries(p_entries jsonb)
returns table (written bigint)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
    v_written bigint;
begin
    perform connector.require_service_role();
    insert into connector.audit (
        at, id, actor, action, connection_id, user_id, request_id, peer
    )
    select e.at, e.id, e.actor, e.action, e.connection_id, e.user_id, e.request_id, e.peer
    from jsonb_to_recordset(p_entries) as e (
        at timestamptz, id text, actor text, action text, connection_id text, user_id text,
        request_id text, peer text
    )
    on conflict (at, id) do nothing;
    get diagnostics v_written = row_count;
    return query
    select v_written;
end
$$;

-- A plan is made for each call, because the index to use depends on which filters are null. The entries of a
-- connection are found by its user. The entries of erased connections are found by the word `erased`.
create function public.connector_list_audit_entries(
    p_connection_id text, p_user_id text, p_actor text, p_before_at timestamptz, p_before_id text,
    p_max_rows integer
)
returns table (
    at timestamptz, id text, actor text, action text, connection_id text, user_id text,
    request_id text, peer text
)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
    v_connection_id text := lower(p_connection_id);
    v_user_of_connection text;
begin
    perform connector.require_service_role();
    select c.user_id
    into v_user_of_connection
    from connector.connections c
    where c.id = case
        when v_connection_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then v_connection_id::uuid
    end;
    v_user_of_connection := coalesce(p_user_id, v_user_of_connection, v_connection_id);
    return query
    select a.at, a.id, a.actor, a.action, a.connection_id, a.user_id, a.request_id, a.peer
    from connector.audit a
    where (
            v_connection_id is null
            or (a.user_id = v_user_of_connection and a.connection_id = v_connection_id)
        )
        and (p_user_id is null or a.user_id = p_user_id)
        and (p_actor is null or a.actor = p_actor)
        and (a.at, a.id) < (coalesce(p_before_at, 'infinity'), coalesce(p_before_id, ''))
    order by a.at desc, a.id desc
    limit p_max_rows;
end
$$;

create function public.connector_delete_old_audit_entries(
    p_before timestamptz, p_max_rows integer
)
returns table (more_left boolean)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    delete from connector.audit
    where (at, id) in (
        select a.at, a.id
        from connector.audit a
        where a.at < p_before
        order by a.at
        limit p_max_rows
    );

    return query
    select exists (
        select 1
        from connector.audit a
        where a.at < p_before
    );
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
