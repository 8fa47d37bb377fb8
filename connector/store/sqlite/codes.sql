-- Authorization codes and pending grants. The rules for these files are in schema.sql.

-- claim_codes (claims, now, lease_seconds)

-- Stores the codes that this call acquires. The rows of `codes` do not show this, because the same owner may
-- have acquired a code in an earlier call.
create temp table if not exists acquired_codes (
    code_hash text primary key
);

delete from acquired_codes;

insert into acquired_codes (code_hash)
select r.value ->> 'code_hash'
from json_each(:claims) r
left join codes c on c.code_hash = r.value ->> 'code_hash'
where c.code_hash is null
    or (c.reply is null and c.claimed_until <= :now);

insert into codes as c (
    code_hash, state_hash, user_id, family, claimed_by, claimed_until, created_at
)
select
    r.value ->> 'code_hash', r.value ->> 'state_hash', r.value ->> 'user_id',
    r.value ->> 'family', r.value ->> 'claimed_by',
    add_seconds(:now, :lease_seconds), :now
from json_each(:claims) r
join acquired_codes a on a.code_hash = r.value ->> 'code_hash'
where true
on conflict (code_hash) do update
set
    claimed_by = excluded.claimed_by,
    claimed_until = excluded.claimed_until;

select
    c.code_hash,
    a.code_hash is not null as acquired,
    c.created_at as claimed_at,
    exists (
        select 1
        from codes s
        where s.state_hash = r.value ->> 'state_hash'
            and s.code_hash <> c.code_hash
            and s.reply ->> 'connection_id' is not null
    ) as state_used,
    case when a.code_hash is not null then c.encrypted_grant end as encrypted_grant,
    c.reply,
    (
        select json_group_array(
            json_object(
                'id', e.id,
                'tiktok_user_id', e.tiktok_user_id,
                'selected_advertiser', json(e.selected_advertiser)
            )
        )
        from connections e
        where e.user_id = r.value ->> 'user_id'
            and e.family = r.value ->> 'family'
            and a.code_hash is not null
    ) as existing_connections,
    (
        select u.tiktok_business_id
        from user_accounts u
        where u.id = r.value ->> 'user_id'
            and a.code_hash is not null
    ) as legacy_advertiser_id,
    null as mismatched_key_type
from json_each(:claims) r
join codes c on c.code_hash = r.value ->> 'code_hash'
left join acquired_codes a on a.code_hash = c.code_hash;

-- record_code_result (code_hash, claimed_by, encrypted_grant, reply, attempt, now)

insert into attempts (
    at, operation, actor, result, tiktok_code, message, request_id, duration_ms
)
select
    :attempt ->> 'at', :attempt ->> 'operation', :attempt ->> 'actor', :attempt ->> 'result',
    :attempt ->> 'tiktok_code', :attempt ->> 'message', :attempt ->> 'request_id',
    :attempt ->> 'duration_ms'
where :attempt is not null;

update codes as c
set
    encrypted_grant = case when :reply is null then coalesce(:encrypted_grant, c.encrypted_grant) end,
    reply = :reply,
    claimed_until = :now
where c.code_hash = :code_hash
    and c.claimed_by = :claimed_by
    and c.reply is null
returning code_hash;

-- restore_pending_grant (
--     code_hash, state_hash, user_id, family, claimed_by, claimed_at, encrypted_grant, now, lease_seconds
-- )

insert into codes as c (
    code_hash, state_hash, user_id, family, claimed_by, claimed_until, encrypted_grant, created_at
)
values (
    :code_hash, :state_hash, :user_id, :family, :claimed_by, add_seconds(:now, :lease_seconds),
    :encrypted_grant, :claimed_at
)
on conflict (code_hash) do update
set
    claimed_by = excluded.claimed_by,
    claimed_until = excluded.claimed_until,
    encrypted_grant = excluded.encrypted_grant,
    reply = null
where c.reply is null
    or (c.reply ->> 'connection_id' is null and c.reply ->> 'code' <> 'superseded')
returning code_hash;
