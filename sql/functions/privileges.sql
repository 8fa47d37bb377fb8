-- What is wrong with the privileges in this database. The rules for these files are in access.sql.
--
-- A restored dump, a clone of the project or one `grant all` gives privileges back that these files revoke.
-- Each function refuses such a caller by itself, but a table cannot.

drop function if exists public.connector_list_privilege_problems;

-- One row for each privilege that a role must not have, and one row without a role for each table whose row
-- level security is disabled. A privilege of `public` is also a privilege of the other two roles.
create function public.connector_list_privilege_problems()
returns table (role_name text, privilege text, object_name text)
language plpgsql stable security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    return query
    with roles as (
        -- 0 is the pseudo role PUBLIC.
        select 0::oid as id, 'public' as name
        union all
        select r.oid, r.rolname::text
        from pg_catalog.pg_roles r
        where r.rolname in ('anon', 'authenticated')
    ),
    relations as (
        select
            c.oid as id, c.relname::text as name,
            c.relkind in ('r', 'p') and not c.relrowsecurity as is_open
        from pg_catalog.pg_class c
        where c.relnamespace = to_regnamespace('connector')
            and c.relkind in ('r', 'p', 'v', 'm', 'f')
    ),
    columns as (
        select a.attrelid as relation, a.attnum as number, a.attname::text as name
        from pg_catalog.pg_attribute a
        where a.attrelid = to_regclass('public.user_accounts')
            and a.attname in ('tiktok_access_token', 'tiktok_account_id', 'tiktok_business_id')
            and not a.attisdropped
    )
    select r.name, 'execute', 'public.' || p.proname
    from roles r
    cross join pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace
        and p.proname like 'connector\_%'
        and has_function_privilege(r.id, p.oid, 'execute')
    union all
    select r.name, 'usage', 'connector'
    from roles r
    where has_schema_privilege(r.id, to_regnamespace('connector'), 'usage, create')
    union all
    select r.name, v.privilege, 'connector.' || t.name
    from roles r
    cross join relations t
    cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate']) v (privilege)
    where case
        -- These two privileges cannot be granted on a column, and the other function refuses their names.
        when v.privilege in ('delete', 'truncate') then has_table_privilege(r.id, t.id, v.privilege)
        else has_any_column_privilege(r.id, t.id, v.privilege)
    end
    union all
    select r.name, v.privilege, 'public.user_accounts.' || c.name
    from roles r
    cross join columns c
    cross join unnest(array['select', 'insert', 'update']) v (privilege)
    where (v.privilege <> 'select' or c.name = 'tiktok_access_token')
        and has_column_privilege(r.id, c.relation, c.number, v.privilege)
    union all
    select null, 'row level security', 'connector.' || t.name
    from relations t
    where t.is_open
    union all
    select null, 'row level security', 'public.user_accounts'
    from pg_catalog.pg_class c
    where c.oid = to_regclass('public.user_accounts')
        and not c.relrowsecurity
    order by 1, 2, 3;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
