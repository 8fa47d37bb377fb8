-- Encrypted tokens and the leases to refresh them. The rules for these files are in schema.sql.

-- mark_disconnected (connection_id, now)

insert into events (at, kind, connection_id, user_id, detail)
select :now, 'disconnected', c.id, c.user_id, '{}'
from connections c
where c.id = :connection_id
    and c.status <> 'revoked';

update user_accounts as u
set
    tiktok_access_token = null,
    tiktok_account_id = null,
    tiktok_business_id = null
from connections c
where c.id = :connection_id
    and c.status <> 'revoked'
    and u.id = c.user_id
    and c.selected_advertiser is not null
    and (
        u.tiktok_business_id = c.selected_advertiser ->> 'id'
        or not exists (
            select 1
            from connections o
            where o.user_id = c.user_id
                and o.status <> 'revoked'
                and o.id <> c.id
                and o.selected_advertiser ->> 'id' = u.tiktok_business_id
        )
    );

update connections as c
set
    status = 'revoked',
    due_at = case when c.lease_owner is not null and c.due_at > :now then c.due_at else :now end,
    last_failure = null,
    updated_at = :now
where c.id = :connection_id
    and c.status <> 'revoked';

select t.*
from stored_tokens t
where t.connection_id = :connection_id;

-- get_stored_tokens (connection_ids)

select t.*
from stored_tokens t
where t.connection_id in (
    select i.value
    from json_each(:connection_ids) i
);

-- find_stored_tokens (user_id, family)

select t.*
from stored_tokens t
where t.user_id = :user_id
    and t.family = :family
order by t.status in ('active', 'refresh_failing') desc, t.connected_at desc, t.connection_id
limit 1;

-- acquire_refresh_lease (connection_id, token_version, owner, now, lease_seconds)

update connections as c
set
    lease_owner = :owner,
    due_at = add_seconds(:now, :lease_seconds)
where c.id = :connection_id
    and c.token_version = :token_version
    and c.encrypted_tokens is not null
    and c.status <> 'reconnect_required'
    and (c.lease_owner is null or c.due_at <= :now);

select t.*
from stored_tokens t
where t.connection_id = :connection_id
    and changes() = 1;

-- lease_due_connections (owner, max_rows, now, lease_seconds)

update connections as c
set
    lease_owner = :owner,
    due_at = add_seconds(:now, :lease_seconds)
where c.id in (
    select d.id
    from connections d
    where d.due_at <= :now
    order by d.due_at
    limit :max_rows
)
returning
    id as connection_id, user_id, family, tiktok_user_id, status, scopes, encrypted_tokens,
    expires_at, refresh_expires_at, last_failure, connected_at, token_version;

-- release_leases (owners, now, max_lease_seconds)

update connections as c
set
    lease_owner = null,
    due_at = :now
where c.due_at > :now
    and c.due_at <= add_seconds(:now, :max_lease_seconds)
    and c.lease_owner in (
        select o.value
        from json_each(:owners) o
    )
returning id;
