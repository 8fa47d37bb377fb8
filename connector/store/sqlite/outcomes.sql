-- Outcomes of refreshes, probes and revocations. The rules for these files are in schema.sql.

-- apply_outcomes (outcomes, now)

insert into events (at, kind, connection_id, user_id, detail)
select :now, coalesce(i.value ->> 'event', 'recovered'), c.id, c.user_id, '{}'
from json_each(:outcomes) i
join connections c on c.id = i.value ->> 'connection_id'
where (
        i.value ->> 'event' is not null
        or (c.status = 'reconnect_required' and i.value ->> 'status' = 'active')
    )
    and c.token_version = i.value ->> 'token_version'
    and (c.lease_owner = i.value ->> 'lease_owner' or i.value ->> 'encrypted_tokens' is not null);

insert into events (at, kind, connection_id, user_id, detail)
select
    :now, 'advertiser_lost', c.id, c.user_id,
    json_object('selected_advertiser', json(c.selected_advertiser))
from json_each(:outcomes) i
join connections c on c.id = i.value ->> 'connection_id'
where i.value ->> 'accounts' is not null
    and c.token_version = i.value ->> 'token_version'
    and (c.lease_owner = i.value ->> 'lease_owner' or i.value ->> 'encrypted_tokens' is not null)
    and c.selected_advertiser is not null
    and not c.advertiser_lost
    and not exists (
        select 1
        from json_each(i.value ->> 'accounts') a
        where a.value ->> 'id' = c.selected_advertiser ->> 'id'
    );

insert into attempts (
    connection_id, at, operation, actor, result, tiktok_code, message, request_id, duration_ms
)
select
    i.value ->> 'connection_id', i.value ->> '$.attempt.at', i.value ->> '$.attempt.operation',
    i.value ->> '$.attempt.actor',
    case
        when exists (
            select 1
            from connections c
            where c.id = i.value ->> 'connection_id'
                and c.token_version = i.value ->> 'token_version'
                and (
                    c.lease_owner = i.value ->> 'lease_owner'
                    or i.value ->> 'encrypted_tokens' is not null
                )
        ) then i.value ->> '$.attempt.result'
        else 'superseded'
    end,
    i.value ->> '$.attempt.tiktok_code', i.value ->> '$.attempt.message',
    i.value ->> '$.attempt.request_id', i.value ->> '$.attempt.duration_ms'
from json_each(:outcomes) i;

update user_accounts
set
    tiktok_access_token = null,
    tiktok_account_id = null,
    tiktok_business_id = null
where id in (
    select c.user_id
    from json_each(:outcomes) i
    join connections c on c.id = i.value ->> 'connection_id'
    where c.in_user_accounts
        and c.token_version = i.value ->> 'token_version'
        and (c.lease_owner = i.value ->> 'lease_owner' or i.value ->> 'encrypted_tokens' is not null)
        and (
            i.value ->> 'status' not in ('active', 'refresh_failing')
            or (
                i.value ->> 'accounts' is not null
                and not exists (
                    select 1
                    from json_each(i.value ->> 'accounts') a
                    where a.value ->> 'id' = c.selected_advertiser ->> 'id'
                )
            )
        )
);

insert into user_accounts (id, tiktok_access_token, tiktok_account_id, tiktok_business_id)
select
    c.user_id, i.value ->> 'account_token', c.selected_advertiser ->> 'name',
    c.selected_advertiser ->> 'id'
from json_each(:outcomes) i
join connections c on c.id = i.value ->> 'connection_id'
where c.advertiser_lost
    and c.status <> 'revoked'
    and i.value ->> 'status' in ('active', 'refresh_failing')
    and c.token_version = i.value ->> 'token_version'
    and (c.lease_owner = i.value ->> 'lease_owner' or i.value ->> 'encrypted_tokens' is not null)
    and exists (
        select 1
        from json_each(i.value ->> 'accounts') a
        where a.value ->> 'id' = c.selected_advertiser ->> 'id'
    )
    and not exists (
        select 1
        from connections o
        where o.user_id = c.user_id
            and o.in_user_accounts
    )
on conflict (id) do update
set
    tiktok_access_token = excluded.tiktok_access_token,
    tiktok_account_id = excluded.tiktok_account_id,
    tiktok_business_id = excluded.tiktok_business_id
where tiktok_business_id is null;

update connections as c
set
    status = case when c.status = 'revoked' then 'revoked' else i.value ->> 'status' end,
    encrypted_tokens = case
        when i.value ->> 'delete_tokens' then null
        else coalesce(i.value ->> 'encrypted_tokens', c.encrypted_tokens)
    end,
    expires_at = case
        when i.value ->> 'encrypted_tokens' is null then c.expires_at
        else i.value ->> 'expires_at'
    end,
    refresh_expires_at = case
        when i.value ->> 'encrypted_tokens' is null then c.refresh_expires_at
        else i.value ->> 'refresh_expires_at'
    end,
    verified_at = coalesce(i.value ->> 'verified_at', c.verified_at),
    last_failure = i.value ->> 'last_failure',
    due_at = case
        when c.status = 'revoked' and i.value ->> 'status' <> 'revoked' then :now
        else i.value ->> 'due_at'
    end,
    accounts = coalesce(i.value ->> 'accounts', c.accounts),
    advertiser_lost = case
        when i.value ->> 'accounts' is null then c.advertiser_lost
        else c.selected_advertiser is not null
            and not exists (
                select 1
                from json_each(i.value ->> 'accounts') a
                where a.value ->> 'id' = c.selected_advertiser ->> 'id'
            )
    end,
    in_user_accounts = i.value ->> 'status' in ('active', 'refresh_failing')
        and case
            when i.value ->> 'accounts' is null then c.in_user_accounts
            else exists (
                    select 1
                    from json_each(i.value ->> 'accounts') a
                    where a.value ->> 'id' = c.selected_advertiser ->> 'id'
                )
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
    token_version = c.token_version + (i.value ->> 'encrypted_tokens' is not null),
    updated_at = :now
from json_each(:outcomes) i
where c.id = i.value ->> 'connection_id'
    and c.token_version = i.value ->> 'token_version'
    and (c.lease_owner = i.value ->> 'lease_owner' or i.value ->> 'encrypted_tokens' is not null)
returning id, token_version;
