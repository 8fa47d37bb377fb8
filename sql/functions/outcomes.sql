-- Outcomes of refreshes, probes and revocations. The rules for these files are in access.sql.

drop function if exists public.connector_apply_outcomes;

-- Applies many outcomes in one call, each of another connection. An outcome is refused if the row no longer
-- has the tokens that the operation started from. An outcome without new tokens is also refused if another
-- owner has acquired the lease. New tokens are accepted from a late owner if no newer tokens were written,
-- because they may be the only valid pair.
--
-- As in connector_upsert_connections, the customer's table can make the call fail because of one connection. Then the
-- caller sends each outcome in a separate call.
create function public.connector_apply_outcomes(p_outcomes jsonb, p_now timestamptz)
returns table (id uuid, token_version integer)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_updated jsonb;
    v_user_accounts jsonb;
begin
    perform connector.require_service_role();
    with input as (
        select i.*
        from jsonb_to_recordset(p_outcomes) as i (
            connection_id uuid, token_version integer, lease_owner text, status text,
            encrypted_tokens text, expires_at timestamptz, refresh_expires_at timestamptz,
            verified_at timestamptz, last_failure jsonb, due_at timestamptz, accounts jsonb,
            account_token text, delete_tokens boolean, event text, attempt jsonb
        )
    ),
    -- Locked first, so that the row before the update is read as it is now and not as it was when the statement
    -- started.
    locked as (
        select c.id, c.status, c.advertiser_lost, c.in_user_accounts, c.expiry_event_at,
            c.refresh_expires_at
        from connector.connections c
        where c.id = any (array (select n.connection_id from input n))
        order by c.id
        for update
    ),
    updated as (
        update connector.connections c
        set
            status = case when c.status = 'revoked' then 'revoked' else i.status end,
            encrypted_tokens = case
                when i.delete_tokens then null
                else coalesce(i.encrypted_tokens, c.encrypted_tokens)
            end,
            expires_at = case
                when i.encrypted_tokens is null then c.expires_at
                else i.expires_at
            end,
            refresh_expires_at = x.refresh_expires_at,
            verified_at = coalesce(i.verified_at, c.verified_at),
            last_failure = i.last_failure,
            due_at = case
                when c.status = 'revoked' and i.status <> 'revoked' then v_now
                else i.due_at
            end,
            accounts = coalesce(i.accounts, c.accounts),
            advertiser_lost = case
                when i.accounts is null then c.advertiser_lost
                else c.selected_advertiser is not null
                    and not i.accounts @> jsonb_build_array(
                        jsonb_build_object('id', c.selected_advertiser ->> 'id')
                    )
            end,
            -- Only a live connection whose advertiser is granted stays in user_accounts. A connection whose lost
            -- advertiser is granted again returns there, unless another connection of the user has replaced it.
            in_user_accounts = i.status in ('active', 'refresh_failing')
                and case
                    when i.accounts is null then c.in_user_accounts
                    else i.accounts @> jsonb_build_array(
                            jsonb_build_object('id', c.selected_advertiser ->> 'id')
                        )
                        and (
                            c.in_user_accounts
                            or (
                                c.advertiser_lost
                                and c.status <> 'revoked'
                                and not exists (
                                    select
                                    from connector.connections o
                                    where o.user_id = c.user_id
                                        and o.in_user_accounts
                                )
                            )
                        )
                end,
            -- The grant expires within 14 days. The time of expiry may move a little with each refresh, so the next event
            -- follows only if the grant was extended.
            expiry_event_at = case
                when c.status <> 'revoked'
                    and i.status in ('active', 'refresh_failing')
                    and x.refresh_expires_at <= v_now + interval '14 days'
                    and (
                        c.expiry_event_at is null
                        or c.expiry_event_at < x.refresh_expires_at - interval '28 days'
                    ) then v_now
                else c.expiry_event_at
            end,
            lease_owner = null,
            token_version = c.token_version + (i.encrypted_tokens is not null)::integer,
            updated_at = v_now
        from input i
        join locked l on l.id = i.connection_id
        cross join lateral (
            select case
                when i.encrypted_tokens is null then l.refresh_expires_at
                else i.refresh_expires_at
            end as refresh_expires_at
        ) x
        where c.id = i.connection_id
            and c.id = any (array (select n.connection_id from input n))
            and c.token_version = i.token_version
            and (c.lease_owner = i.lease_owner or i.encrypted_tokens is not null)
        returning
            c.id, c.user_id, c.token_version, c.selected_advertiser,
            c.status <> 'revoked' as is_connected,
            l.status = 'reconnect_required' and c.status = 'active' as has_recovered,
            c.advertiser_lost and not l.advertiser_lost as has_lost_advertiser,
            c.expiry_event_at is distinct from l.expiry_event_at as is_expiring,
            c as connection, l.in_user_accounts as was_in_user_accounts, c.in_user_accounts, i.account_token, i.event
    ),
    inserted_events as (
        insert into connector.events (type, connection_id, user_id, data, created_at)
        select
            'connection.' || coalesce(u.event, 'recovered'), u.id, u.user_id,
            connector.event_data(u.connection), v_now
        from updated u
        where (u.event is not null and u.is_connected)
            -- An event has reported the end of the connection before a late owner wrote the newest tokens.
            or u.has_recovered
        union all
        select
            'connection.advertiser_lost', u.id, u.user_id, connector.event_data(u.connection), v_now
        from updated u
        where u.has_lost_advertiser
            and u.is_connected
        union all
        select 'connection.expiring', u.id, u.user_id, connector.event_data(u.connection), v_now
        from updated u
        where u.is_expiring
    ),
    inserted_attempts as (
        insert into connector.attempts (
            connection_id, at, operation, actor, result, tiktok_code, message, request_id, duration_ms
        )
        select
            i.connection_id, a.at, a.operation, a.actor,
            case when u.id is null then 'superseded' else a.result end,
            a.tiktok_code, a.message, a.request_id, a.duration_ms
        from input i
        left join updated u on u.id = i.connection_id
        cross join lateral jsonb_populate_record(null::connector.attempts, i.attempt) a
    )
    select
        jsonb_agg(jsonb_build_object('id', u.id, 'token_version', u.token_version)),
        jsonb_agg(
            case when u.in_user_accounts
                then jsonb_build_object(
                    'user_id', u.user_id, 'advertiser_id', u.selected_advertiser ->> 'id',
                    'advertiser_name', u.selected_advertiser ->> 'name', 'token', u.account_token
                )
                else jsonb_build_object('user_id', u.user_id)
            end
        ) filter (where u.in_user_accounts <> u.was_in_user_accounts)
    into v_updated, v_user_accounts
    from updated u;

    perform connector.write_user_accounts(v_user_accounts);

    return query
    select u.id, u.token_version
    from jsonb_to_recordset(v_updated) as u (id uuid, token_version integer);
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
