-- What is wrong with the customer's table user_accounts. The rules for these files are in access.sql.

drop function if exists public.connector_check_user_accounts;

-- For `connector check` and `/readyz`: the key, the columns that an insert must fill, and those of
-- the service's own three columns that the customer has created with another type or with NOT NULL.
create function public.connector_check_user_accounts()
returns table (
    key_columns jsonb, key_is_usable boolean, required_columns jsonb, unsuitable_columns jsonb
)
language plpgsql stable security definer
set search_path = ''
as $$
begin
    perform connector.require_service_role();
    return query
    select
        (
            select coalesce(
                jsonb_agg(
                    jsonb_build_object('name', a.attname, 'type', a.atttypid::regtype::text)
                    order by array_position(i.indkey, a.attnum)
                ),
                '[]'
            )
            from pg_catalog.pg_index i
            join pg_catalog.pg_attribute a on a.attrelid = i.indrelid
                and a.attnum = any (i.indkey)
            where i.indrelid = to_regclass('public.user_accounts')
                and i.indisprimary
        ),
        exists (
            select
            from connector.user_accounts_key()
        ),
        (
            select coalesce(jsonb_agg(a.attname order by a.attnum), '[]')
            from pg_catalog.pg_attribute a
            where a.attrelid = to_regclass('public.user_accounts')
                and a.attnum > 0
                and not a.attisdropped
                and a.attnotnull
                and not a.atthasdef
                and a.attidentity = ''
                and a.attname not in (
                    'tiktok_access_token', 'tiktok_account_id', 'tiktok_business_id'
                )
                and not exists (
                    select
                    from connector.user_accounts_key() k
                    where k.key_column = a.attname
                )
        ),
        (
            select coalesce(jsonb_agg(a.attname order by a.attnum), '[]')
            from pg_catalog.pg_attribute a
            where a.attrelid = to_regclass('public.user_accounts')
                and not a.attisdropped
                and a.attname in (
                    'tiktok_access_token', 'tiktok_account_id', 'tiktok_business_id'
                )
                and (
                    a.atttypid not in ('text'::regtype, 'varchar'::regtype)
                    -- The limit of a varchar, and 4. Without a limit it is -1.
                    or a.atttypmod between 4 and 258
                    or a.attnotnull
                    or a.attgenerated <> ''
                )
        );
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
