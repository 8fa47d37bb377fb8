-- The customer's table user_accounts. The rules for these files are in access.sql.
--
-- The customer decides on the name and the type of the primary key, so the statements are built when they
-- run. The key must be one column of type uuid, text or bigint. For `id uuid`, the key that sql/tables creates,
-- the statements are written out: Postgres keeps their plans, and a call takes a quarter less time.

drop function if exists
    public.connector_select_advertiser,
    connector.user_accounts_key,
    connector.read_user_accounts,
    connector.write_user_accounts;

-- Returns no row if the service cannot use the primary key. In PL/pgSQL, because a session keeps the plan.
create function connector.user_accounts_key()
returns table (key_column text, key_type text)
language plpgsql stable
set search_path = ''
as $$
begin
    return query
    select a.attname::text, a.atttypid::regtype::text
    from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid
        and a.attnum = i.indkey[0]
    where i.indrelid = to_regclass('public.user_accounts')
        and i.indisprimary
        and i.indnkeyatts = 1
        and a.atttypid in ('uuid'::regtype, 'text'::regtype, 'bigint'::regtype);
end
$$;

-- Returns one row for each user id. `mismatched_key_type` is null if the id can be a key of the table,
-- otherwise the type of the key, or `unsupported`. Two user ids must never be the same key, so `007` is no bigint.
create function connector.read_user_accounts(p_user_ids text[])
returns table (user_id text, advertiser_id text, mismatched_key_type text)
language plpgsql stable
set search_path = ''
as $$
declare
    v_key record;
    v_fits text;
begin
    select k.key_column, k.key_type
    into v_key
    from connector.user_accounts_key() k;
    if not found then
        return query
        select i.id, null::text, 'unsupported'
        from unnest(p_user_ids) i (id);
        return;
    end if;
    if v_key.key_column = 'id' and v_key.key_type = 'uuid' then
        return query
        select i.id, u.tiktok_business_id, case when not i.fits then 'uuid' end
        from (
            select p.id, p.id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' as fits
            from unnest(p_user_ids) p (id)
        ) i
        left join public.user_accounts u on u.id = case when i.fits then i.id::uuid end;
        return;
    end if;
    v_fits := case v_key.key_type
        when 'text' then 'true'
        when 'uuid' then $sql$p.id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'$sql$
        else $sql$
            case
                when p.id ~ '^(0|-?[1-9][0-9]{0,18})$'
                    then p.id::numeric between -9223372036854775808 and 9223372036854775807
                else false
            end
        $sql$
    end;
    return query execute format(
        'select i.id, u.tiktok_business_id, case when not i.fits then %1$L end '
        'from (select p.id, %3$s as fits from unnest($1) p (id)) i '
        'left join public.user_accounts u on u.%2$I = case when i.fits then i.id::%1$s end',
        v_key.key_type, v_key.key_column, v_fits
    )
    using p_user_ids;
end
$$;

-- Each row has a user id, and an advertiser and a token, or nulls to clear the columns. If there are no rows, `p_rows` is null.
-- Updates first and
-- inserts only if the row is missing: an upsert would violate the customer's own not-null columns even if
-- the row exists. Nothing is inserted to clear columns.
create function connector.write_user_accounts(p_rows jsonb)
returns void
language plpgsql
set search_path = ''
as $$
declare
    v_key record;
begin
    if p_rows is null then
        return;
    end if;
    select k.key_column, k.key_type
    into v_key
    from connector.user_accounts_key() k;
    if not found then
        raise exception 'The primary key of public.user_accounts must be one column of type uuid, text or bigint.';
    end if;
    if v_key.key_column = 'id' and v_key.key_type = 'uuid' then
        with input as (
            select i.user_id::uuid as user_key, i.advertiser_id, i.advertiser_name, i.token
            from jsonb_to_recordset(p_rows) as i (
                user_id text, advertiser_id text, advertiser_name text, token text
            )
        ),
        updated as (
            update public.user_accounts u
            set tiktok_access_token = i.token, tiktok_account_id = i.advertiser_name,
                tiktok_business_id = i.advertiser_id
            from input i
            where u.id = i.user_key
                and u.id = any (array (select n.user_key from input n))
            returning u.id as user_key
        )
        insert into public.user_accounts
            (id, tiktok_access_token, tiktok_account_id, tiktok_business_id)
        select i.user_key, i.token, i.advertiser_name, i.advertiser_id
        from input i
        where i.advertiser_id is not null
            and i.user_key not in (select u.user_key from updated u)
        on conflict (id) do update
        set tiktok_access_token = excluded.tiktok_access_token,
            tiktok_account_id = excluded.tiktok_account_id,
            tiktok_business_id = excluded.tiktok_business_id;
        return;
    end if;
    execute format(
        'with input as ('
        '    select i.user_id::%1$s as user_key, i.advertiser_id, i.advertiser_name, i.token '
        '    from jsonb_to_recordset($1) as i ('
        '        user_id text, advertiser_id text, advertiser_name text, token text'
        '    )'
        '), '
        'updated as ('
        '    update public.user_accounts u '
        '    set tiktok_access_token = i.token, tiktok_account_id = i.advertiser_name, '
        '        tiktok_business_id = i.advertiser_id '
        '    from input i '
        '    where u.%2$I = i.user_key '
        '        and u.%2$I = any (array (select n.user_key from input n)) '
        '    returning u.%2$I as user_key'
        ') '
        'insert into public.user_accounts '
        '    (%2$I, tiktok_access_token, tiktok_account_id, tiktok_business_id) '
        'select i.user_key, i.token, i.advertiser_name, i.advertiser_id '
        'from input i '
        'where i.advertiser_id is not null '
        '    and i.user_key not in (select u.user_key from updated u) '
        'on conflict (%2$I) do update '
        'set tiktok_access_token = excluded.tiktok_access_token, '
        '    tiktok_account_id = excluded.tiktok_account_id, '
        '    tiktok_business_id = excluded.tiktok_business_id',
        v_key.key_type, v_key.key_column
    )
    using p_rows;
end
$$;

-- Selects an advertiser of a live connection. Returns no row if the connection has other tokens by now, is not
-- live, or has no such advertiser.
create function public.connector_select_advertiser(
    p_connection_id uuid, p_token_version integer, p_advertiser_id text, p_account_token text,
    p_now timestamptz
)
returns table (advertiser jsonb)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_user_id text;
    v_advertiser jsonb;
begin
    perform connector.require_service_role();
    select c.user_id
    into v_user_id
    from connector.connections c
    where c.id = p_connection_id;
    -- As in connector_upsert_connections: one decision after another for each user.
    perform pg_advisory_xact_lock(hashtextextended(v_user_id, 0));
    -- Locked first, in the order of connector_apply_outcomes. If the statement below locked a row that an outcome
    -- has changed meanwhile, it would still read the former accounts.
    perform
    from connector.connections c
    where c.user_id = v_user_id
    order by c.id
    for update;
    select a.value
    into v_advertiser
    from connector.connections c
    cross join lateral jsonb_array_elements(c.accounts) a
    where c.id = p_connection_id
        and c.token_version = p_token_version
        and c.status in ('active', 'refresh_failing')
        and a.value ->> 'id' = p_advertiser_id
    limit 1;
    if not found then
        return;
    end if;
    update connector.connections c
    set in_user_accounts = false
    where c.user_id = v_user_id
        and c.in_user_accounts
        and c.id <> p_connection_id;
    update connector.connections c
    set
        selected_advertiser = v_advertiser,
        advertiser_lost = false,
        in_user_accounts = true,
        updated_at = v_now
    where c.id = p_connection_id;
    perform connector.write_user_accounts(
        jsonb_build_array(
            jsonb_build_object(
                'user_id', v_user_id, 'advertiser_id', v_advertiser ->> 'id',
                'advertiser_name', v_advertiser ->> 'name', 'token', p_account_token
            )
        )
    );
    insert into connector.events (type, connection_id, user_id, data, created_at)
    select 'connection.advertiser_selected', c.id, c.user_id, connector.event_data(c), v_now
    from connector.connections c
    where c.id = p_connection_id;
    return query
    select v_advertiser;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
