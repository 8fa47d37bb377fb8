-- Outcomes of refreshes, probes and revocations. The rules for these files are in schema.sql.

-- apply_outcomes (outcomes, now)

create temp table if not exists accepted_outcomes (
    connection_id      text primary key,
    outcome            text not null,
    old_status         text not null,
    was_lost           integer not null,
    was_shown          integer not null,
    grants_advertiser  integer
);

delete from accepted_outcomes;

insert into accepted_outcomes (
    connection_id, outcome, old_status, was_lost, was_shown, grants_advertiser
)
select
    c.id, i.value, c.status, c.advertiser_lost, c.in_user_accounts,
    case when i.value ->> 'accounts' is not null
        then exists (
            select 1
            from json_each(i.value ->> 'accounts') a
            where a.value ->> 'id' = c.selected_advertiser ->> 'id'
        )
    end
from json_each(:outcomes) i
join connections c on c.id = i.value ->> 'connection_id'
where c.token_version = i.value ->> 'token_version'
    and (c.lease_owner = i.value ->> 'lease_owner' or i.value ->> 'encrypted_tokens' is not null);

insert into attempts (
    connection_id, at, operation, actor, result, tiktok_code, message, request_id, duration_ms
)
select
    i.value ->> 'connection_id', i.value ->> '$.attempt.at', i.value ->> '$.attempt.operation',
    i.value ->> '$.attempt.actor',
    case when a.connection_id is null then 'superseded' else i.value ->> '$.attempt.result' end,
    i.value ->> '$.attempt.tiktok_code', i.value ->> '$.attempt.message',
    i.value ->> '$.attempt.request_id', i.value ->> '$.attempt.duration_ms'
from json_each(:outcomes) i
left join accepted_outcomes a on a.connection_id = i.value ->> 'connection_id';

update connections as c
set
    status = case when c.status = 'revoked' then 'revoked' else a.outcome ->> 'status' end,
    encrypted_tokens = case
        when a.outcome ->> 'delete_tokens' then null
        else coalesce(a.outcome ->> 'encrypted_tokens', c.encrypted_tokens)
    end,
    expires_at = case
        when a.outcome ->> 'encrypted_tokens' is null then c.expires_at
        else a.outcome ->> 'expires_at'
    end,
    refresh_expires_at = case
        when a.outcome ->> 'encrypted_tokens' is null then c.refresh_expires_at
        else a.outcome ->> 'refresh_expires_at'
    end,
    verified_at = coalesce(a.outcome ->> 'verified_at', c.verified_at),
    last_failure = a.outcome ->> 'last_failure',
    due_at = case
        when c.status = 'revoked' and a.outcome ->> 'status' <> 'revoked' then :now
        else a.outcome ->> 'due_at'
    end,
    accounts = coalesce(a.outcome ->> 'accounts', c.accounts),
    advertiser_lost = case
        when a.grants_advertiser is null then c.advertiser_lost
        else c.selected_advertiser is not null and not a.grants_advertiser
    end,
    in_user_accounts = a.outcome ->> 'status' in ('active', 'refresh_failing')
        and case
            when a.grants_advertiser is null then c.in_user_accounts
            else a.grants_advertiser
                and (
                    c.in_user_accounts
                    or (
                        c.advertiser_lost
                        and c.status <> 'revoked'
                        and not exists (
                            select 1
                            from connections o
                            where o.user_id = c.user_id
                                and o.in_user_accounts
                        )
                    )
                )
        end,
    lease_owner = null,
    token_version = c.token_version + (a.outcome ->> 'encrypted_tokens' is not null),
    updated_at = :now
from accepted_outcomes a
where c.id = a.connection_id;

update user_accounts
set
    tiktok_access_token = null,
    tiktok_account_id = null,
    tiktok_business_id = null
where id in (
    select c.user_id
    from accepted_outcomes a
    cross join connections c on c.id = a.connection_id
    where a.was_shown
        and not c.in_user_accounts
);

insert into user_accounts (id, tiktok_access_token, tiktok_account_id, tiktok_business_id)
select
    c.user_id, a.outcome ->> 'account_token', c.selected_advertiser ->> 'name',
    c.selected_advertiser ->> 'id'
from accepted_outcomes a
cross join connections c on c.id = a.connection_id
where c.in_user_accounts
    and not a.was_shown
on conflict (id) do update
set
    tiktok_access_token = excluded.tiktok_access_token,
    tiktok_account_id = excluded.tiktok_account_id,
    tiktok_business_id = excluded.tiktok_business_id
where tiktok_business_id is null;

insert into events (id, type, connection_id, user_id, data, created_at)
select
    new_uuid(), 'connection.' || coalesce(a.outcome ->> 'event', 'recovered'), s.connection_id,
    s.user_id, s.data, :now
from accepted_outcomes a
cross join connections c on c.id = a.connection_id
join event_snapshots s on s.connection_id = a.connection_id
where (a.outcome ->> 'event' is not null and c.status <> 'revoked')
    or (a.old_status = 'reconnect_required' and c.status = 'active')
union all
select
    new_uuid(), 'connection.advertiser_lost', s.connection_id, s.user_id, s.data, :now
from accepted_outcomes a
cross join connections c on c.id = a.connection_id
join event_snapshots s on s.connection_id = a.connection_id
where c.advertiser_lost
    and not a.was_lost
    and c.status <> 'revoked'
union all
select new_uuid(), 'connection.expiring', s.connection_id, s.user_id, s.data, :now
from accepted_outcomes a
cross join connections c on c.id = a.connection_id
join event_snapshots s on s.connection_id = a.connection_id
where c.status in ('active', 'refresh_failing')
    and c.refresh_expires_at <= add_seconds(:now, 1209600)
    and (
        c.expiry_event_at is null
        or c.expiry_event_at < add_seconds(c.refresh_expires_at, -2419200)
    );

update connections
set expiry_event_at = :now
where id in (
        select a.connection_id
        from accepted_outcomes a
    )
    and status in ('active', 'refresh_failing')
    and refresh_expires_at <= add_seconds(:now, 1209600)
    and (
        expiry_event_at is null
        or expiry_event_at < add_seconds(refresh_expires_at, -2419200)
    );

select c.id, c.token_version
from accepted_outcomes a
join connections c on c.id = a.connection_id;
