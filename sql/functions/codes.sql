-- Authorization codes and pending grants. The rules for these files are in access.sql.

drop function if exists
    public.connector_claim_codes,
    public.connector_record_code_result,
    public.connector_restore_pending_grant;

-- Many codes in one call. If another replica claims a code at the same moment, this call returns the code as
-- not acquired and without its reply. The caller must call again to get the reply.
create function public.connector_claim_codes(
    p_claims jsonb, p_now timestamptz, p_lease_seconds double precision
)
returns table (
    code_hash text, acquired boolean, claimed_at timestamptz, state_used boolean,
    encrypted_grant text, reply jsonb, existing_connections jsonb, legacy_advertiser_id text,
    mismatched_key_type text
)
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
    with requested as (
        select r.*
        from jsonb_to_recordset(p_claims) as r (
            code_hash text, state_hash text, user_id text, family text, claimed_by text
        )
    ),
    claimed as (
        insert into connector.codes as c (
            code_hash, state_hash, user_id, family, claimed_by, claimed_until, created_at
        )
        select
            r.code_hash, r.state_hash, r.user_id, r.family, r.claimed_by,
            v_now + make_interval(secs => p_lease_seconds), v_now
        from requested r
        on conflict (code_hash) do update
        set
            claimed_by = excluded.claimed_by,
            claimed_until = excluded.claimed_until
        where c.reply is null
            and c.claimed_until <= v_now
        returning c.code_hash, c.encrypted_grant, c.created_at
    )
    select
        r.code_hash,
        c.code_hash is not null,
        c.created_at,
        exists (
            select
            from connector.codes s
            where s.state_hash = r.state_hash
                and s.code_hash <> r.code_hash
                and s.reply ? 'connection_id'
        ),
        c.encrypted_grant,
        (
            select s.reply
            from connector.codes s
            where s.code_hash = r.code_hash
                and c.code_hash is null
        ),
        (
            select coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'id', e.id,
                        'tiktok_user_id', e.tiktok_user_id,
                        'selected_advertiser', e.selected_advertiser
                    )
                ),
                '[]'
            )
            from connector.connections e
            where e.user_id = r.user_id
                and e.family is not distinct from r.family
                and c.code_hash is not null
        ),
        case when c.code_hash is not null then u.advertiser_id end,
        u.mismatched_key_type
    from requested r
    left join claimed c on c.code_hash = r.code_hash
    left join connector.read_user_accounts(array (select distinct d.user_id from requested d)) u
        on u.user_id = r.user_id;
end
$$;

create function public.connector_record_code_result(
    p_code_hash text, p_claimed_by text, p_encrypted_grant text, p_reply jsonb, p_attempt jsonb,
    p_now timestamptz
)
returns table (code_hash text)
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
    update connector.codes c
    set
        -- A pending grant is deleted only if `p_reply` is set. So a caller that releases its claim without a
        -- grant does not delete the grant that another caller stored.
        encrypted_grant =
            case when p_reply is null then coalesce(p_encrypted_grant, c.encrypted_grant) end,
        reply = p_reply,
        claimed_until = v_now
    where c.code_hash = p_code_hash
        and c.claimed_by = p_claimed_by
        and c.reply is null
    returning c.code_hash;

    -- Last, because the counter of attempts is locked until the end of the transaction.
    insert into connector.attempts (
        at, operation, actor, result, tiktok_code, message, request_id, duration_ms
    )
    select
        a.at, a.operation, a.actor, a.result, a.tiktok_code, a.message, a.request_id, a.duration_ms
    from jsonb_populate_record(null::connector.attempts, p_attempt) a
    where a.at is not null;
end
$$;

-- Returns no row if the code already has a connection, or if its grant was superseded.
create function public.connector_restore_pending_grant(
    p_code_hash text, p_state_hash text, p_user_id text, p_family text, p_claimed_by text,
    p_claimed_at timestamptz, p_encrypted_grant text, p_now timestamptz,
    p_lease_seconds double precision
)
returns table (code_hash text)
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
    insert into connector.codes as c (
        code_hash, state_hash, user_id, family, claimed_by, claimed_until, encrypted_grant, created_at
    )
    values (
        p_code_hash, p_state_hash, p_user_id, p_family, p_claimed_by,
        v_now + make_interval(secs => p_lease_seconds), p_encrypted_grant, p_claimed_at
    )
    on conflict (code_hash) do update
    set
        claimed_by = excluded.claimed_by,
        claimed_until = excluded.claimed_until,
        encrypted_grant = excluded.encrypted_grant,
        reply = null
    where c.reply is null
        or (not c.reply ? 'connection_id' and c.reply ->> 'code' <> 'superseded')
    returning c.code_hash;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
