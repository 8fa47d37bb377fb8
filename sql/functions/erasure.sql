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
    delete from connector.attempts
    where connection_id in (
        select c.id
        from connector.connections c
        where c.user_id::text = p_user_id
    );

    delete from connector.events
    where user_id::text = p_user_id;

    delete from connector.codes
    where user_id::text = p_user_id;

    -- The row belongs to the customer, so it stays.
    update public.user_accounts u
    set
        tiktok_access_token = null,
        tiktok_account_id = null,
        tiktok_business_id = null
    where u.id::text = p_user_id;

    -- ERASURE OF THE AUDIT: here `user_id` and `connection_id` of this person's rows become 'erased'.

    return query
    delete from connector.connections c
    where c.user_id::text = p_user_id
    returning c.id;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
