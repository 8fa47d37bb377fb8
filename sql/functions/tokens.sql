-- Encrypted tokens and the leases to refresh them. The rules for these files are in access.sql.

drop function if exists
    public.connector_mark_disconnected,
    public.connector_get_stored_tokens,
    public.connector_find_stored_tokens,
    public.connector_acquire_refresh_lease,
    public.connector_lease_due_connections,
    public.connector_release_leases;
drop view if exists connector.stored_tokens;

-- A view for the service: the encrypted tokens and only the columns that a refresh needs. The view for people,
-- without tokens, is connector.connection_summaries in connections.sql.
create view connector.stored_tokens as
select
    c.id as connection_id, c.user_id, c.family, c.tiktok_user_id, c.status, c.scopes,
    c.encrypted_tokens, c.expires_at, c.refresh_expires_at, c.last_failure, c.connected_at,
    c.token_version,
    -- Revoking one token may end every grant of the TikTok user, so such tokens are only deleted.
    case
        when c.status = 'revoked' then exists (
            select
            from connector.connections o
            where o.tiktok_user_id = c.tiktok_user_id
                and o.family is not distinct from c.family
                and o.id <> c.id
                and o.status in ('active', 'refresh_failing')
        )
        else false
    end as tiktok_user_is_connected
from connector.connections c;

-- Marks a connection. The tokens stay in the row until TikTok has revoked them. Grants of the same user and
-- family that are not a connection yet are dropped.
create function public.connector_mark_disconnected(p_connection_id uuid, p_now timestamptz)
returns setof connector.stored_tokens
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_user_id text;
    v_family text;
    v_was_in_user_accounts boolean;
begin
    perform connector.require_service_role();
    select c.user_id
    into v_user_id
    from connector.connections c
    where c.id = p_connection_id;
    -- As in connector_upsert_connections. Otherwise an older grant that is saved at the same time does not see
    -- the disconnect, and makes the connection active again.
    perform pg_advisory_xact_lock(hashtextextended(v_user_id, 0));
    select c.in_user_accounts
    into v_was_in_user_accounts
    from connector.connections c
    where c.id = p_connection_id
    for update;
    update connector.connections c
    set
        status = 'revoked',
        in_user_accounts = false,
        -- A running refresh keeps its lease, so that the newest token is revoked.
        due_at = case when c.lease_owner is not null and c.due_at > v_now then c.due_at else v_now end,
        last_failure = null,
        disconnected_at = v_now,
        updated_at = v_now
    where c.id = p_connection_id
        and c.status <> 'revoked'
    returning c.user_id, c.family
    into v_user_id, v_family;
    if found then
        if v_was_in_user_accounts then
            perform connector.write_user_accounts(
                jsonb_build_array(jsonb_build_object('user_id', v_user_id))
            );
        end if;
        update connector.codes k
        set
            encrypted_grant = null,
            reply = '{"code": "superseded"}'
        where k.user_id = v_user_id
            and k.family = v_family
            and k.encrypted_grant is not null;
        insert into connector.events (type, connection_id, user_id, data, created_at)
        select 'connection.disconnected', c.id, c.user_id, connector.event_data(c), v_now
        from connector.connections c
        where c.id = p_connection_id;
    end if;
    return query
    select t.*
    from connector.stored_tokens t
    where t.connection_id = p_connection_id;
end
$$;

create function public.connector_get_stored_tokens(p_connection_ids uuid[])
returns setof connector.stored_tokens
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
begin
    perform connector.require_service_role();
    return query
    select t.*
    from connector.stored_tokens t
    where t.connection_id = any (p_connection_ids);
end
$$;

create function public.connector_find_stored_tokens(p_user_id text, p_family text)
returns setof connector.stored_tokens
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
begin
    perform connector.require_service_role();
    return query
    select t.*
    from connector.stored_tokens t
    where t.user_id = p_user_id
        and t.family is not distinct from p_family
    order by t.status in ('active', 'refresh_failing') desc, t.connected_at desc, t.connection_id
    limit 1;
end
$$;

-- Returns no row if another owner has the lease, the row has no usable tokens, or the row has another version
-- than `p_token_version`. An owner that has the lease gets it again: the response of its first call may be lost,
-- or its background may have leased a row whose refresh was just ending.
create function public.connector_acquire_refresh_lease(
    p_connection_id uuid, p_token_version integer, p_owner text, p_now timestamptz,
    p_lease_seconds double precision
)
returns setof connector.stored_tokens
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
    perform connector.require_service_role();
    update connector.connections c
    set
        lease_owner = p_owner,
        due_at = v_now + make_interval(secs => p_lease_seconds)
    where c.id = p_connection_id
        and c.token_version = p_token_version
        and c.encrypted_tokens is not null
        and c.status <> 'reconnect_required'
        and (c.lease_owner is null or c.lease_owner = p_owner or c.due_at <= v_now);
    if not found then
        return;
    end if;
    return query
    select t.*
    from connector.stored_tokens t
    where t.connection_id = p_connection_id;
end
$$;

-- A lease lasts a third of the token's remaining life, between the two limits: a process that died after
-- TikTok's response has this time to start again and save the response. A revocation needs no such time.
-- `due_at` of a leased row is the end of the lease, so expired leases are found too. It is null if the connection
-- has ended.
create function public.connector_lease_due_connections(
    p_owner text, p_max_rows integer, p_now timestamptz, p_lease_seconds double precision,
    p_max_lease_seconds double precision default 0
)
returns setof connector.stored_tokens
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_ids uuid[];
begin
    perform connector.require_service_role();
    with due as (
        select d.id
        from connector.connections d
        where d.due_at <= v_now
        order by d.due_at
        limit p_max_rows
        for update skip locked
    ),
    leased as (
        update connector.connections c
        set
            lease_owner = p_owner,
            due_at = v_now + greatest(
                make_interval(secs => p_lease_seconds),
                case
                    when c.status <> 'revoked' and c.expires_at is not null then least(
                        make_interval(secs => p_max_lease_seconds), (c.expires_at - v_now) / 3
                    )
                end
            )
        from due
        where c.id = due.id
        returning c.id
    )
    select array_agg(l.id)
    into v_ids
    from leased l;
    -- This must be a separate statement. The statement above uses a snapshot from before the rows were locked,
    -- so it could return tokens that another transaction has replaced.
    return query
    select t.*
    from connector.stored_tokens t
    where t.connection_id = any (v_ids);
end
$$;

-- Ends the leases of these owners and makes the connections due now. No lease is longer than
-- `p_max_lease_seconds`, so the index on due_at finds the leases in a table of any size. If another transaction
-- has locked a row, the row keeps its lease.
create function public.connector_release_leases(
    p_owners jsonb, p_now timestamptz, p_max_lease_seconds double precision
)
returns table (id uuid)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
begin
    perform connector.require_service_role();
    return query
    with leased as (
        select d.id
        from connector.connections d
        where d.due_at > v_now
            and d.due_at <= v_now + make_interval(secs => p_max_lease_seconds)
            and p_owners ? d.lease_owner
        for update skip locked
    )
    update connector.connections c
    set
        lease_owner = null,
        due_at = v_now
    from leased
    where c.id = leased.id
    returning c.id;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
