-- Connections without their tokens. The rules for these files are in access.sql.

drop function if exists
    public.connector_upsert_connections,
    public.connector_select_advertiser,
    public.connector_get_connection,
    public.connector_list_connections,
    connector.write_user_account;
drop view if exists
    connector.connection_details,
    connector.connection_summaries;

-- A view for people, without tokens. The view with the tokens is connector.stored_tokens in tokens.sql.
create view connector.connection_summaries as
select
    c.id, c.user_id, c.family, c.tiktok_user_id, c.status, c.scopes, c.selected_advertiser,
    c.advertiser_lost, c.expires_at, c.refresh_expires_at, c.verified_at, c.last_failure, c.due_at,
    c.connected_at, c.created_at, c.updated_at, c.token_version
from connector.connections c;

-- Adds the accounts. One connection may have thousands of accounts.
create view connector.connection_details as
select c.accounts, s.*
from connector.connection_summaries s
join connector.connections c on c.id = s.id;

-- Updates first and inserts only if the row is missing: an upsert would violate the customer's own not-null
-- columns even if the row exists.
create function connector.write_user_account(p_user_id uuid, p_advertiser jsonb, p_token text)
returns void
language plpgsql
set search_path = ''
as $$
begin
    update public.user_accounts
    set
        tiktok_access_token = p_token,
        tiktok_account_id = p_advertiser ->> 'name',
        tiktok_business_id = p_advertiser ->> 'id'
    where id = p_user_id;
    if not found then
        insert into public.user_accounts (
            id, tiktok_access_token, tiktok_account_id, tiktok_business_id
        )
        values (p_user_id, p_token, p_advertiser ->> 'name', p_advertiser ->> 'id')
        on conflict (id) do update
        set
            tiktok_access_token = excluded.tiktok_access_token,
            tiktok_account_id = excluded.tiktok_account_id,
            tiktok_business_id = excluded.tiktok_business_id;
    end if;
end
$$;

-- Upserts many connections in one call, each of another user. One connection can make the call fail: it may
-- violate a rule of the customer's own table, or another transaction may have locked its row in that table.
-- Then the whole call is rolled back, and the caller sends each connection in a separate call.
create function public.connector_upsert_connections(p_connections jsonb, p_now timestamptz)
returns table (code_hash text, reply jsonb)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
    perform connector.require_service_role();
    return query
    with input as (
        select i.*
        from jsonb_to_recordset(p_connections) as i (
            code_hash text, id uuid, user_id uuid, family text, tiktok_user_id text, scopes jsonb,
            accounts jsonb, selected_advertiser jsonb, encrypted_tokens text, expires_at timestamptz,
            refresh_expires_at timestamptz, due_at timestamptz, write_user_account boolean,
            account_token text, reply jsonb, attempt jsonb
        )
    ),
    upserted as (
        insert into connector.connections as c (
            id, user_id, family, tiktok_user_id, status, scopes, accounts, selected_advertiser,
            advertiser_lost, encrypted_tokens, expires_at, refresh_expires_at, verified_at, due_at,
            token_version, connected_at, created_at, updated_at
        )
        select
            i.id, i.user_id, i.family, i.tiktok_user_id, 'active', i.scopes, i.accounts,
            i.selected_advertiser, false, i.encrypted_tokens, i.expires_at, i.refresh_expires_at,
            v_now, i.due_at, 1, v_now, v_now, v_now
        from input i
        on conflict (user_id, family, tiktok_user_id) do update
        set
            status = 'active',
            scopes = excluded.scopes,
            accounts = excluded.accounts,
            -- Until the user selects again, user_accounts still has the earlier advertiser.
            selected_advertiser = coalesce(excluded.selected_advertiser, c.selected_advertiser),
            advertiser_lost = excluded.selected_advertiser is null
                and c.selected_advertiser is not null
                and not excluded.accounts @> jsonb_build_array(
                    jsonb_build_object('id', c.selected_advertiser ->> 'id')
                ),
            encrypted_tokens = excluded.encrypted_tokens,
            expires_at = excluded.expires_at,
            refresh_expires_at = excluded.refresh_expires_at,
            verified_at = excluded.verified_at,
            last_failure = null,
            due_at = excluded.due_at,
            lease_owner = null,
            token_version = c.token_version + 1,
            connected_at = excluded.connected_at,
            updated_at = excluded.updated_at
        returning c.id, c.user_id, c.token_version
    ),
    selected_rows as (
        select
            i.user_id, i.account_token, i.selected_advertiser ->> 'id' as advertiser_id,
            i.selected_advertiser ->> 'name' as advertiser_name
        from input i
        where i.write_user_account
            and i.selected_advertiser is not null
    ),
    -- Updates first, as in write_user_account.
    updated_accounts as (
        update public.user_accounts u
        set
            tiktok_access_token = s.account_token,
            tiktok_account_id = s.advertiser_name,
            tiktok_business_id = s.advertiser_id
        from selected_rows s
        where u.id = s.user_id
        returning u.id
    ),
    inserted_accounts as (
        insert into public.user_accounts (
            id, tiktok_access_token, tiktok_account_id, tiktok_business_id
        )
        select s.user_id, s.account_token, s.advertiser_name, s.advertiser_id
        from selected_rows s
        where s.user_id not in (select u.id from updated_accounts u)
        on conflict (id) do update
        set
            tiktok_access_token = excluded.tiktok_access_token,
            tiktok_account_id = excluded.tiktok_account_id,
            tiktok_business_id = excluded.tiktok_business_id
    ),
    inserted_events as (
        insert into connector.events (at, kind, connection_id, user_id, detail)
        select
            v_now, case c.token_version when 1 then 'connected' else 'reconnected' end,
            c.id, c.user_id,
            jsonb_build_object('family', i.family, 'selected_advertiser', i.selected_advertiser)
        from input i
        join upserted c on c.user_id = i.user_id
    ),
    inserted_attempts as (
        insert into connector.attempts (
            connection_id, at, operation, actor, result, tiktok_code, message, request_id, duration_ms
        )
        select
            c.id, a.at, a.operation, a.actor, a.result, a.tiktok_code, a.message, a.request_id,
            a.duration_ms
        from input i
        join upserted c on c.user_id = i.user_id
        cross join lateral jsonb_populate_record(null::connector.attempts, i.attempt) a
    ),
    -- Locks the codes in the same order as connector_claim_codes. In another order, this call and another
    -- replica's claims could wait for each other.
    locked_codes as (
        select l.code_hash
        from connector.codes l
        where l.code_hash = any (array (select i.code_hash from input i))
        order by l.code_hash collate "C"
        for update
    )
    update connector.codes k
    set
        encrypted_grant = null,
        reply = i.reply || jsonb_build_object('connection_id', c.id),
        claimed_until = v_now
    from locked_codes l
    join input i on i.code_hash = l.code_hash
    join upserted c on c.user_id = i.user_id
    where k.code_hash = l.code_hash
        and k.code_hash = any (array (select i.code_hash from input i))
    returning k.code_hash, k.reply;
end
$$;

-- Returns no row if the connection is unknown or disconnected.
create function public.connector_select_advertiser(
    p_connection_id uuid, p_advertiser jsonb, p_account_token text, p_now timestamptz
)
returns table (id uuid)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_user_id uuid;
begin
    perform connector.require_service_role();
    update connector.connections c
    set
        selected_advertiser = p_advertiser,
        advertiser_lost = false,
        updated_at = v_now
    where c.id = p_connection_id
        and c.status <> 'revoked'
    returning c.user_id
    into v_user_id;
    if not found then
        return;
    end if;
    perform connector.write_user_account(v_user_id, p_advertiser, p_account_token);
    insert into connector.events (at, kind, connection_id, user_id, detail)
    values (
        v_now, 'advertiser_selected', p_connection_id, v_user_id,
        jsonb_build_object('selected_advertiser', p_advertiser)
    );
    return query
    select p_connection_id;
end
$$;

create function public.connector_get_connection(p_connection_id uuid)
returns setof connector.connection_details
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
begin
    perform connector.require_service_role();
    return query
    select d.*
    from connector.connection_details d
    where d.id = p_connection_id;
end
$$;

create function public.connector_list_connections(
    p_user_id uuid, p_family text, p_after_id uuid, p_max_rows integer
)
returns setof connector.connection_summaries
language plpgsql security definer
set search_path = ''
as $$
begin
    perform connector.require_service_role();
    return query
    select s.*
    from connector.connection_summaries s
    where (p_user_id is null or s.user_id = p_user_id)
        and (p_family is null or s.family = p_family)
        and (p_after_id is null or s.id > p_after_id)
    order by s.id
    limit p_max_rows;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
