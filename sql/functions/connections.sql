-- Connections without their tokens. The rules for these files are in access.sql.

drop function if exists
    public.connector_upsert_connections,
    public.connector_get_connection,
    public.connector_list_connections;
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

-- Saves many connections in one call, each of another user. A row of the result has the saved connection, or
-- the code of the error that is now the reply of the code:
--
-- A grant may be saved long after its code was claimed, for example after a crash. So it may be refused:
--
-- - `superseded`: the user has a newer grant for the same TikTok user, or has disconnected a connection of this
--   family since the code was claimed.
-- - `invalid_state`: another code of the same state has become a connection.
--
-- An advertiser that the user has selected stays selected as long as it is granted. `selected_advertiser` is
-- selected only if the user has selected nothing in another live connection.
--
-- One connection can make the call fail: it may violate a rule of the customer's own table, or another
-- transaction may have locked its row in that table. Then the whole call is rolled back, and the caller sends
-- each connection in a separate call.
create function public.connector_upsert_connections(p_connections jsonb, p_now timestamptz)
returns table (
    code_hash text, error_code text, connection_id uuid, selected_advertiser jsonb,
    advertiser_lost boolean
)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_saved jsonb;
    v_user_accounts jsonb;
begin
    perform connector.require_service_role();
    -- The decisions depend on all connections of the user, so the calls for one user run one after another.
    perform pg_advisory_xact_lock(l.user_key)
    from (
        select hashtextextended(i.value ->> 'user_id', 0) as user_key
        from jsonb_array_elements(p_connections) i
        order by 1
    ) l;
    with input as (
        select
            i.code_hash, i.claimed_at, i.id, i.user_id, i.family, i.tiktok_user_id, i.scopes,
            i.accounts, i.selected_advertiser, i.encrypted_tokens, i.expires_at,
            i.refresh_expires_at, i.due_at, i.account_token, i.attempt,
            coalesce(c.in_user_accounts, false) as was_in_user_accounts,
            coalesce(c.advertiser_lost, false) as was_lost,
            -- The selected advertiser as the new grant names it; null if it is no longer granted.
            (
                select a.value
                from jsonb_array_elements(i.accounts) a
                where a.value ->> 'id' = c.selected_advertiser ->> 'id'
                limit 1
            ) as still_selected,
            exists (
                select
                from connector.connections o
                where o.user_id = i.user_id
                    and o.status in ('active', 'refresh_failing')
                    and o.selected_advertiser is not null
                    and not o.advertiser_lost
                    and o.id is distinct from c.id
            ) as has_other_selection,
            case
                when i.claimed_at < c.granted_at
                    or exists (
                        select
                        from connector.connections d
                        where d.user_id = i.user_id
                            and d.family is not distinct from i.family
                            and d.disconnected_at >= i.claimed_at
                    ) then 'superseded'
                when exists (
                    select
                    from connector.codes s
                    where s.state_hash = i.state_hash
                        and s.code_hash <> i.code_hash
                        and s.reply ? 'connection_id'
                ) then 'invalid_state'
            end as error_code
        from jsonb_to_recordset(p_connections) as i (
            code_hash text, state_hash text, claimed_at timestamptz, id uuid, user_id text, family text,
            tiktok_user_id text, scopes jsonb, accounts jsonb, selected_advertiser jsonb,
            encrypted_tokens text, expires_at timestamptz, refresh_expires_at timestamptz,
            due_at timestamptz, account_token text, attempt jsonb
        )
        left join lateral (
            select
                e.id, e.in_user_accounts, e.selected_advertiser, e.advertiser_lost, e.granted_at
            from connector.connections e
            where e.user_id = i.user_id
                and e.family is not distinct from i.family
                and e.tiktok_user_id is not distinct from i.tiktok_user_id
            limit 1
        ) c on true
    ),
    decided as (
        select
            i.code_hash, i.claimed_at, i.id, i.user_id, i.family, i.tiktok_user_id, i.scopes,
            i.accounts, i.encrypted_tokens, i.expires_at, i.refresh_expires_at, i.due_at,
            i.account_token, i.attempt, i.was_in_user_accounts, i.was_lost, i.error_code,
            coalesce(
                i.still_selected,
                case when not i.has_other_selection then i.selected_advertiser end
            ) as new_selection,
            i.was_in_user_accounts or not i.has_other_selection as may_be_shown
        from input i
    ),
    upserted as (
        insert into connector.connections as c (
            id, user_id, family, tiktok_user_id, status, scopes, accounts, selected_advertiser,
            advertiser_lost, in_user_accounts, encrypted_tokens, expires_at, refresh_expires_at,
            verified_at, due_at, token_version, granted_at, connected_at, created_at, updated_at
        )
        select
            d.id, d.user_id, d.family, d.tiktok_user_id, 'active', d.scopes, d.accounts,
            d.new_selection, false, d.new_selection is not null and d.may_be_shown,
            d.encrypted_tokens, d.expires_at, d.refresh_expires_at, v_now, d.due_at, 1,
            d.claimed_at, v_now, v_now, v_now
        from decided d
        where d.error_code is null
        on conflict (user_id, family, tiktok_user_id) do update
        set
            status = 'active',
            scopes = excluded.scopes,
            accounts = excluded.accounts,
            selected_advertiser = coalesce(excluded.selected_advertiser, c.selected_advertiser),
            advertiser_lost = excluded.selected_advertiser is null and c.selected_advertiser is not null,
            in_user_accounts = excluded.in_user_accounts,
            encrypted_tokens = excluded.encrypted_tokens,
            expires_at = excluded.expires_at,
            refresh_expires_at = excluded.refresh_expires_at,
            verified_at = excluded.verified_at,
            last_failure = null,
            due_at = excluded.due_at,
            lease_owner = null,
            token_version = c.token_version + 1,
            granted_at = excluded.granted_at,
            expiry_event_at = null,
            connected_at = excluded.connected_at,
            updated_at = excluded.updated_at
        returning
            c.id, c.user_id, c.token_version, c.selected_advertiser, c.advertiser_lost,
            c.in_user_accounts, c as connection
    ),
    inserted_events as (
        insert into connector.events (type, connection_id, user_id, data, created_at)
        select
            'connection.' || case c.token_version when 1 then 'connected' else 'reconnected' end,
            c.id, c.user_id, connector.event_data(c.connection), v_now
        from upserted c
        union all
        select
            'connection.advertiser_lost', c.id, c.user_id, connector.event_data(c.connection), v_now
        from decided d
        join upserted c on c.user_id = d.user_id
        where c.advertiser_lost
            and not d.was_lost
    ),
    inserted_attempts as (
        insert into connector.attempts (
            connection_id, at, operation, actor, result, tiktok_code, message, request_id, duration_ms
        )
        select
            c.id, a.at, a.operation, a.actor, a.result, a.tiktok_code, a.message, a.request_id,
            a.duration_ms
        from decided d
        join upserted c on c.user_id = d.user_id
        cross join lateral jsonb_populate_record(null::connector.attempts, d.attempt) a
    )
    select
        jsonb_agg(
            jsonb_build_object(
                'code_hash', d.code_hash, 'error_code', d.error_code, 'connection_id', c.id,
                'selected_advertiser', c.selected_advertiser, 'advertiser_lost', c.advertiser_lost
            )
        ),
        jsonb_agg(
            case when c.in_user_accounts
                then jsonb_build_object(
                    'user_id', d.user_id, 'advertiser_id', c.selected_advertiser ->> 'id',
                    'advertiser_name', c.selected_advertiser ->> 'name', 'token', d.account_token
                )
                else jsonb_build_object('user_id', d.user_id)
            end
        ) filter (where c.id is not null and (c.in_user_accounts or d.was_in_user_accounts))
    into v_saved, v_user_accounts
    from decided d
    left join upserted c on c.user_id = d.user_id;

    perform connector.write_user_accounts(v_user_accounts);

    -- Locks the codes in the same order as connector_claim_codes. In another order, this call and another
    -- replica's claims could wait for each other.
    perform
    from connector.codes l
    where l.code_hash = any (array (select i.value ->> 'code_hash' from jsonb_array_elements(p_connections) i))
    order by l.code_hash collate "C"
    for update;

    update connector.codes k
    set
        encrypted_grant = null,
        reply = case
            when s.connection_id is null then jsonb_build_object('code', s.error_code)
            else jsonb_build_object('connection_id', s.connection_id)
        end,
        claimed_until = v_now
    from jsonb_to_recordset(v_saved) as s (code_hash text, error_code text, connection_id uuid)
    where k.code_hash = s.code_hash
        and k.code_hash = any (array (select i.value ->> 'code_hash' from jsonb_array_elements(p_connections) i));

    return query
    select s.code_hash, s.error_code, s.connection_id, s.selected_advertiser, s.advertiser_lost
    from jsonb_to_recordset(v_saved) as s (
        code_hash text, error_code text, connection_id uuid, selected_advertiser jsonb,
        advertiser_lost boolean
    );
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
    p_user_id text, p_family text, p_after_id uuid, p_max_rows integer
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
