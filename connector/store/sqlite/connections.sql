-- Connections without their tokens. The rules for these files are in schema.sql.

-- upsert_connections (connections, now)

create temp table if not exists decisions (
    code_hash         text primary key,
    connection_id     text not null,
    error_code        text,
    new_selection     text,
    in_user_accounts  integer not null,
    was_shown         integer not null,
    was_lost          integer not null
);

delete from decisions;

insert into decisions (
    code_hash, connection_id, error_code, new_selection, in_user_accounts, was_shown, was_lost
)
select
    d.code_hash, d.connection_id, d.error_code, d.new_selection,
    d.new_selection is not null and (d.was_shown or not d.has_other_selection), d.was_shown,
    d.was_lost
from (
    select
        i.code_hash, i.connection_id, i.error_code, i.was_shown, i.was_lost, i.has_other_selection,
        coalesce(
            i.still_selected, case when not i.has_other_selection then i.selected_advertiser end
        ) as new_selection
    from (
        select
            r.value ->> 'code_hash' as code_hash,
            coalesce(c.id, r.value ->> 'id') as connection_id,
            r.value ->> 'selected_advertiser' as selected_advertiser,
            coalesce(c.in_user_accounts, false) as was_shown,
            coalesce(c.advertiser_lost, false) as was_lost,
            (
                select a.value
                from json_each(r.value ->> 'accounts') a
                where a.value ->> 'id' = c.selected_advertiser ->> 'id'
                limit 1
            ) as still_selected,
            exists (
                select 1
                from connections o
                where o.user_id = r.value ->> 'user_id'
                    and o.status in ('active', 'refresh_failing')
                    and o.selected_advertiser is not null
                    and not o.advertiser_lost
                    and o.id is not c.id
            ) as has_other_selection,
            case
                when r.value ->> 'claimed_at' < c.granted_at
                    or exists (
                        select 1
                        from connections d
                        where d.user_id = r.value ->> 'user_id'
                            and d.family = r.value ->> 'family'
                            and d.disconnected_at >= r.value ->> 'claimed_at'
                    ) then 'superseded'
                when exists (
                    select 1
                    from codes s
                    where s.state_hash = r.value ->> 'state_hash'
                        and s.code_hash <> r.value ->> 'code_hash'
                        and s.reply ->> 'connection_id' is not null
                ) then 'invalid_state'
            end as error_code
        from json_each(:connections) r
        left join connections c on c.user_id = r.value ->> 'user_id'
            and c.family = r.value ->> 'family'
            and c.tiktok_user_id = r.value ->> 'tiktok_user_id'
    ) i
) d;

insert into connections as c (
    id, user_id, family, tiktok_user_id, status, scopes, accounts, selected_advertiser,
    advertiser_lost, in_user_accounts, encrypted_tokens, expires_at, refresh_expires_at,
    verified_at, due_at, token_version, granted_at, connected_at, created_at, updated_at
)
select
    i.value ->> 'id', i.value ->> 'user_id', i.value ->> 'family', i.value ->> 'tiktok_user_id',
    'active', i.value ->> 'scopes', i.value ->> 'accounts', d.new_selection, false,
    d.in_user_accounts, i.value ->> 'encrypted_tokens', i.value ->> 'expires_at',
    i.value ->> 'refresh_expires_at', :now, i.value ->> 'due_at', 1, i.value ->> 'claimed_at',
    :now, :now, :now
from json_each(:connections) i
join decisions d on d.code_hash = i.value ->> 'code_hash'
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
    updated_at = excluded.updated_at;

insert into user_accounts (id, tiktok_access_token, tiktok_account_id, tiktok_business_id)
select
    i.value ->> 'user_id', i.value ->> 'account_token', d.new_selection ->> 'name',
    d.new_selection ->> 'id'
from json_each(:connections) i
join decisions d on d.code_hash = i.value ->> 'code_hash'
where d.error_code is null
    and d.in_user_accounts
on conflict (id) do update
set
    tiktok_access_token = excluded.tiktok_access_token,
    tiktok_account_id = excluded.tiktok_account_id,
    tiktok_business_id = excluded.tiktok_business_id;

update user_accounts
set
    tiktok_access_token = null,
    tiktok_account_id = null,
    tiktok_business_id = null
where id in (
    select i.value ->> 'user_id'
    from json_each(:connections) i
    join decisions d on d.code_hash = i.value ->> 'code_hash'
    where d.error_code is null
        and d.was_shown
        and not d.in_user_accounts
);

insert into events (id, type, connection_id, user_id, data, created_at)
select
    new_uuid(), 'connection.' || case c.token_version when 1 then 'connected' else 'reconnected' end,
    s.connection_id, s.user_id, s.data, :now
from decisions d
join connections c on c.id = d.connection_id
join event_snapshots s on s.connection_id = c.id
where d.error_code is null
union all
select new_uuid(), 'connection.advertiser_lost', s.connection_id, s.user_id, s.data, :now
from decisions d
join connections c on c.id = d.connection_id
join event_snapshots s on s.connection_id = c.id
where d.error_code is null
    and c.advertiser_lost
    and not d.was_lost;

insert into attempts (
    connection_id, at, operation, actor, result, tiktok_code, message, request_id, duration_ms
)
select
    d.connection_id, i.value ->> '$.attempt.at', i.value ->> '$.attempt.operation',
    i.value ->> '$.attempt.actor', i.value ->> '$.attempt.result',
    i.value ->> '$.attempt.tiktok_code', i.value ->> '$.attempt.message',
    i.value ->> '$.attempt.request_id', i.value ->> '$.attempt.duration_ms'
from json_each(:connections) i
join decisions d on d.code_hash = i.value ->> 'code_hash'
where d.error_code is null;

update codes as k
set
    encrypted_grant = null,
    reply = case
        when d.error_code is null then json_object('connection_id', d.connection_id)
        else json_object('code', d.error_code)
    end,
    claimed_until = :now
from decisions d
where k.code_hash = d.code_hash;

select
    d.code_hash, d.error_code, c.id as connection_id, c.selected_advertiser, c.advertiser_lost
from decisions d
left join connections c on c.id = d.connection_id
    and d.error_code is null;

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
