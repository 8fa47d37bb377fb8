-- Connections without their tokens. The rules for these files are in schema.sql.

-- upsert_connections (connections, now)

insert into connections as c (
    id, user_id, family, tiktok_user_id, status, scopes, accounts, selected_advertiser,
    advertiser_lost, encrypted_tokens, expires_at, refresh_expires_at, verified_at, due_at,
    token_version, connected_at, created_at, updated_at
)
select
    i.value ->> 'id', i.value ->> 'user_id', i.value ->> 'family', i.value ->> 'tiktok_user_id',
    'active', i.value ->> 'scopes', i.value ->> 'accounts', i.value ->> 'selected_advertiser',
    false, i.value ->> 'encrypted_tokens', i.value ->> 'expires_at',
    i.value ->> 'refresh_expires_at', :now, i.value ->> 'due_at', 1, :now, :now, :now
from json_each(:connections) i
where true
on conflict (user_id, family, tiktok_user_id) do update
set
    status = 'active',
    scopes = excluded.scopes,
    accounts = excluded.accounts,
    selected_advertiser = coalesce(excluded.selected_advertiser, c.selected_advertiser),
    advertiser_lost = excluded.selected_advertiser is null
        and c.selected_advertiser is not null
        and not exists (
            select 1
            from json_each(excluded.accounts) a
            where a.value ->> 'id' = c.selected_advertiser ->> 'id'
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
    updated_at = excluded.updated_at;

insert into user_accounts (id, tiktok_access_token, tiktok_account_id, tiktok_business_id)
select
    i.value ->> 'user_id', i.value ->> 'account_token', i.value ->> '$.selected_advertiser.name',
    i.value ->> '$.selected_advertiser.id'
from json_each(:connections) i
where i.value ->> 'write_user_account'
    and i.value ->> 'selected_advertiser' is not null
on conflict (id) do update
set
    tiktok_access_token = excluded.tiktok_access_token,
    tiktok_account_id = excluded.tiktok_account_id,
    tiktok_business_id = excluded.tiktok_business_id;

insert into events (at, kind, connection_id, user_id, detail)
select
    :now, case c.token_version when 1 then 'connected' else 'reconnected' end,
    c.id, c.user_id,
    json_object(
        'family', c.family, 'selected_advertiser', json(i.value -> 'selected_advertiser')
    )
from json_each(:connections) i
join connections c on c.user_id = i.value ->> 'user_id'
    and c.family = i.value ->> 'family'
    and c.tiktok_user_id = i.value ->> 'tiktok_user_id';

insert into attempts (
    connection_id, at, operation, actor, result, tiktok_code, message, request_id, duration_ms
)
select
    c.id, i.value ->> '$.attempt.at', i.value ->> '$.attempt.operation',
    i.value ->> '$.attempt.actor', i.value ->> '$.attempt.result',
    i.value ->> '$.attempt.tiktok_code', i.value ->> '$.attempt.message',
    i.value ->> '$.attempt.request_id', i.value ->> '$.attempt.duration_ms'
from json_each(:connections) i
join connections c on c.user_id = i.value ->> 'user_id'
    and c.family = i.value ->> 'family'
    and c.tiktok_user_id = i.value ->> 'tiktok_user_id';

update codes as k
set
    encrypted_grant = null,
    reply = json_set(json(i.value -> 'reply'), '$.connection_id', c.id),
    claimed_until = :now
from json_each(:connections) i
join connections c on c.user_id = i.value ->> 'user_id'
    and c.family = i.value ->> 'family'
    and c.tiktok_user_id = i.value ->> 'tiktok_user_id'
where k.code_hash = i.value ->> 'code_hash'
returning code_hash, reply;

-- select_advertiser (connection_id, advertiser, account_token, now)

update connections as c
set
    selected_advertiser = :advertiser,
    advertiser_lost = false,
    updated_at = :now
where c.id = :connection_id
    and c.status <> 'revoked';

insert into user_accounts (id, tiktok_access_token, tiktok_account_id, tiktok_business_id)
select c.user_id, :account_token, :advertiser ->> 'name', :advertiser ->> 'id'
from connections c
where c.id = :connection_id
    and c.status <> 'revoked'
on conflict (id) do update
set
    tiktok_access_token = excluded.tiktok_access_token,
    tiktok_account_id = excluded.tiktok_account_id,
    tiktok_business_id = excluded.tiktok_business_id;

insert into events (at, kind, connection_id, user_id, detail)
select
    :now, 'advertiser_selected', c.id, c.user_id,
    json_object('selected_advertiser', json(:advertiser))
from connections c
where c.id = :connection_id
    and c.status <> 'revoked';

select c.id
from connections c
where c.id = :connection_id
    and c.status <> 'revoked';

-- get_connection (connection_id)

select d.*
from connection_details d
where d.id = :connection_id;

-- list_connections (user_id, family, after_id, max_rows)

select s.*
from connection_summaries s
where (:user_id is null or s.user_id = :user_id)
    and (:family is null or s.family = :family)
    and (:after_id is null or s.id > :after_id)
order by s.id
limit :max_rows;
