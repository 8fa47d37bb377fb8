-- The table user_accounts. The rules for these files are in schema.sql.

-- select_advertiser (connection_id, token_version, advertiser_id, account_token, now)

create temp table if not exists selection (
    user_id     text not null,
    advertiser  text not null
);

delete from selection;

insert into selection (user_id, advertiser)
select c.user_id, a.value
from connections c, json_each(c.accounts) a
where c.id = :connection_id
    and c.token_version = :token_version
    and c.status in ('active', 'refresh_failing')
    and a.value ->> 'id' = :advertiser_id
limit 1;

update connections as c
set in_user_accounts = false
from selection s
where c.user_id = s.user_id
    and c.in_user_accounts
    and c.id <> :connection_id;

update connections as c
set
    selected_advertiser = s.advertiser,
    advertiser_lost = false,
    in_user_accounts = true,
    updated_at = :now
from selection s
where c.id = :connection_id;

insert into user_accounts (id, tiktok_access_token, tiktok_account_id, tiktok_business_id)
select s.user_id, :account_token, s.advertiser ->> 'name', s.advertiser ->> 'id'
from selection s
where true
on conflict (id) do update
set
    tiktok_access_token = excluded.tiktok_access_token,
    tiktok_account_id = excluded.tiktok_account_id,
    tiktok_business_id = excluded.tiktok_business_id;

insert into events (id, type, connection_id, user_id, data, created_at)
select
    new_uuid(), 'connection.advertiser_selected', n.connection_id, n.user_id, n.data, :now
from selection s
join event_snapshots n on n.connection_id = :connection_id;

select s.advertiser
from selection s;
