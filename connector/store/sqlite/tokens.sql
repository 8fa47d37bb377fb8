-- Encrypted tokens and the leases to refresh them. The rules for these files are in schema.sql.

-- mark_disconnected (connection_id, now)

update user_accounts
set
    tiktok_access_token = null,
    tiktok_account_id = null,
    tiktok_business_id = null
where id in (
    select c.user_id
    from connections c
    where c.id = :connection_id
        and c.in_user_accounts
);

update codes as k
set
    encrypted_grant = null,
    reply = json_object('code', 'superseded')
from connections c
where c.id = :connection_id
    and c.status <> 'revoked'
    and k.user_id = c.user_id
    and k.family = c.family
    and k.encrypted_grant is not null;

update connections as c
set
    status = 'revoked',
    in_user_accounts = false,
    due_at = case when c.lease_owner is not null and c.due_at > :now then c.due_at else :now end,
    last_failure = null,
    disconnected_at = :now,
    updated_at = :now
where c.id = :connection_id
    and c.status <> 'revoked';

insert into events (id, type, connection_id, user_id, data, created_at)
select new_uuid(), 'connection.disconnected', s.connection_id, s.user_id, s.data, :now
from event_snapshots s
where s.connection_id = :connection_id
    and changes();

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
    and (c.lease_owner is null or c.lease_owner = :owner or c.due_at <= :now);

select t.*
from stored_tokens t
where t.connection_id = :connection_id
    and changes() = 1;

-- lease_due_connections (owner, max_rows, now, lease_seconds, max_lease_seconds)

create temp table if not exists leased (
    connection_id text primary key
);

delete from leased;

insert into leased (connection_id)
select d.id
from connections d
where d.due_at <= :now
order by d.due_at
limit :max_rows;

update connections as c
set
    lease_owner = :owner,
    due_at = add_seconds(
        :now,
        max(
            :lease_seconds,
            case
                when c.status <> 'revoked' and c.expires_at is not null then
                    min(:max_lease_seconds, seconds_between(:now, c.expires_at) / 3)
                else :lease_seconds
            end
        )
    )
from leased l
where c.id = l.connection_id;

select t.*
from stored_tokens t
where t.connection_id in (
    select l.connection_id
    from leased l
);

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
