-- Deletes everything about one person. The rules for these files are in access.sql.

drop function if exists public.connector_erase_user;

create function public.connector_erase_user(p_user_id text)
returns table (id uuid)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    -- As in connector_upsert_connections: no connection of the user is saved meanwhile.
    perform pg_advisory_xact_lock(hashtextextended(p_user_id, 0));
    -- Locked first, in the order of connector_apply_outcomes, so that an outcome that is applied meanwhile adds no
    -- event after the events are deleted.
    perform
    from connector.connections c
    where c.user_id = p_user_id
    order by c.id
    for update;
    delete from connector.attempts
    where connection_id in (
        select c.id
        from connector.connections c
        where c.user_id = p_user_id
    );

    -- The deliveries are deleted with their events.
    delete from connector.events
    where user_id = p_user_id
        or tiktok_user_id in (
            select c.tiktok_user_id
            from connector.connections c
            where c.user_id = p_user_id
        );

    delete from connector.webhooks
    where tiktok_user_id in (
        select c.tiktok_user_id
        from connector.connections c
        where c.user_id = p_user_id
    );

    delete from connector.codes
    where user_id = p_user_id;

    -- The row belongs to the customer, so it stays.
    perform connector.write_user_accounts(
        jsonb_build_array(jsonb_build_object('user_id', u.user_id))
    )
    from connector.read_user_accounts(array[p_user_id]) u
    where u.mismatched_key_type is null;

    -- That somebody read or changed something stays. The peer of a server is not the person's address.
    update connector.audit a
    set
        user_id = 'erased',
        connection_id = case when a.connection_id is null then null else 'erased' end,
        peer = case when a.actor in ('user', 'person') then null else a.peer end
    where a.user_id = p_user_id;

    return query
    delete from connector.connections c
    where c.user_id = p_user_id
    returning c.id;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
