-- The customer's own table. If the table is missing, this file creates the table. Otherwise this file adds three
-- columns, a policy and restrictions. Running this file again changes nothing.

create table if not exists public.user_accounts (
    id uuid primary key
);

alter table public.user_accounts
    add column if not exists tiktok_access_token text,
    add column if not exists tiktok_account_id text,
    add column if not exists tiktok_business_id text;

comment on column public.user_accounts.tiktok_account_id is 'The name of the selected advertiser.';
comment on column public.user_accounts.tiktok_business_id is 'The id of the selected advertiser.';

alter table public.user_accounts enable row level security;

-- A privilege on the whole table includes the token column, and revoking the privilege on one column does
-- not exclude that column. So each privilege that a role has on the table is replaced by the same privilege
-- on columns: `select` on all columns except the token, `insert` and `update` on all columns except the three
-- columns of the service.
do $$
declare
    v_role text;
    v_privilege text;
    v_columns text;
begin
    foreach v_role in array array['anon', 'authenticated'] loop
        foreach v_privilege in array array['select', 'insert', 'update'] loop
            continue when not has_table_privilege(v_role, 'public.user_accounts', v_privilege);
            select string_agg(quote_ident(column_name), ', ' order by ordinal_position)
            into v_columns
            from information_schema.columns
            where table_schema = 'public'
                and table_name = 'user_accounts'
                and column_name <> 'tiktok_access_token'
                and (
                    v_privilege = 'select'
                    or column_name not in ('tiktok_account_id', 'tiktok_business_id')
                );
            execute format('revoke %s on public.user_accounts from %I', v_privilege, v_role);
            execute format(
                'grant %s (%s) on public.user_accounts to %I', v_privilege, v_columns, v_role
            );
        end loop;
        execute format(
            'revoke truncate, references, trigger on public.user_accounts from %I', v_role
        );
    end loop;
    revoke all on public.user_accounts from public;
    -- A privilege that somebody granted on a column.
    revoke
        select (tiktok_access_token),
        insert (tiktok_access_token, tiktok_account_id, tiktok_business_id),
        update (tiktok_access_token, tiktok_account_id, tiktok_business_id)
        on public.user_accounts
        from public, anon, authenticated;
    grant select (tiktok_account_id, tiktok_business_id) on public.user_accounts to authenticated;
end
$$;

-- The read policy and the privileges name the primary key, which the customer may have called otherwise. A
-- table whose key the service cannot use gets no policy: `connector check` reports the key.
do $$
declare
    v_key text;
    v_is_uuid boolean;
begin
    select a.attname, a.atttypid = 'uuid'::regtype
    into v_key, v_is_uuid
    from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = 'public.user_accounts'::regclass
        and i.indisprimary
        and i.indnkeyatts = 1;
    if not found then
        return;
    end if;
    if not exists (
        select
        from pg_catalog.pg_policies
        where schemaname = 'public'
            and tablename = 'user_accounts'
            and policyname = 'connector: people read their own row'
    ) then
        -- auth.uid() fails if the id of a person is not a UUID.
        execute format(
            'create policy "connector: people read their own row" on public.user_accounts '
            'for select to authenticated using (%s)',
            case when v_is_uuid
                then format('(select auth.uid()) = %I', v_key)
                else format('(select auth.jwt() ->> ''sub'') = %I::text', v_key)
            end
        );
    end if;
    execute format('grant select (%I) on public.user_accounts to authenticated', v_key);
end
$$;
