-- The tables, and the operations in SQLite's dialect. The same operations for PostgreSQL are in
-- sql/functions/*.sql, with the reasons in comments. The rules for all files in this folder:
--
-- - An operation starts with its name and arguments. One operation is one transaction. The last statement
--   returns the rows.
-- - Times are text in UTC with a fixed width, so that times compare as text. JSON is text.
-- - The argument `now` is null in production. Then the driver calls `current_time` once and passes the
--   result as `now`, so that an operation uses one time.
-- - `add_seconds (time, seconds)` and `seconds_between (start, end)` are functions that the driver adds to each
--   connection.
-- - `new_uuid ()` is another such function.
-- - The driver replaces `lower (text)`, because SQLite's own function changes only ASCII letters.
-- - A result with many rows may be one row with the column `json_rows`. With each row that SQLite returns, its thread
--   waits for the event loop.
-- - A statement ends with a semicolon at the end of a line. So a trigger ends on the line of its statement.

-- tables ()

create table if not exists schema (
    version integer primary key
);

-- A file of another version keeps its number, so that the service refuses the file.
insert into schema (version)
select 5
where not exists (
    select 1
    from schema
);

create table if not exists connections (
    id                   text primary key,
    user_id              text not null,
    family               text not null,
    tiktok_user_id       text not null,
    status               text not null
        check (status in ('active', 'refresh_failing', 'reconnect_required', 'revoked')),
    scopes               text not null,
    accounts             text not null,
    selected_advertiser  text,
    advertiser_lost      integer not null,
    in_user_accounts     integer not null default false,
    encrypted_tokens     text,
    expires_at           text,
    refresh_expires_at   text,
    verified_at          text,
    last_failure         text,
    due_at               text,
    lease_owner          text,
    token_version        integer not null,
    granted_at           text not null,
    disconnected_at      text,
    expiry_event_at      text,
    connected_at         text not null,
    created_at           text not null,
    updated_at           text not null,
    severity             integer not null generated always as (
        case status
            when 'reconnect_required' then 3
            when 'refresh_failing' then 2
            when 'active' then 1
            else 0
        end
    ),
    profile              text generated always as (
        case when accounts ->> '$[0].kind' <> 'advertiser' then accounts -> '$[0]' end
    ),
    search_name          text,
    unique (user_id, family, tiktok_user_id)
);

create index if not exists connections_due
    on connections (due_at)
    where due_at is not null;

create index if not exists connections_of_tiktok_user
    on connections (tiktok_user_id, family);

create unique index if not exists connections_in_user_accounts
    on connections (user_id)
    where in_user_accounts;

create index if not exists connections_listed
    on connections (severity, connected_at, id);

create index if not exists connections_listed_by_family
    on connections (family, severity, connected_at, id);

create index if not exists connections_of_advertiser
    on connections (selected_advertiser ->> 'id');

create index if not exists connections_named
    on connections (search_name)
    where search_name is not null;

create trigger if not exists connection_named
after insert on connections
begin
    update connections
    set search_name = substr(lower(coalesce(selected_advertiser ->> 'name', profile ->> 'name')), 1, 200)
    where id = new.id; end;

create trigger if not exists connection_renamed
after update of accounts, selected_advertiser on connections
when new.accounts <> old.accounts or new.selected_advertiser is not old.selected_advertiser
begin
    update connections
    set search_name = substr(lower(coalesce(selected_advertiser ->> 'name', profile ->> 'name')), 1, 200)
    where id = new.id; end;

create table if not exists codes (
    code_hash        text primary key,
    state_hash       text not null,
    user_id          text not null,
    family           text not null,
    claimed_by       text not null,
    claimed_until    text not null,
    encrypted_grant  text,
    reply            text,
    created_at       text not null
);

create index if not exists codes_created
    on codes (created_at);

create index if not exists codes_of_state
    on codes (state_hash);

create index if not exists codes_with_grant
    on codes (user_id, family)
    where encrypted_grant is not null;

create table if not exists attempts (
    id             integer primary key autoincrement,
    connection_id  text,
    at             text not null,
    operation      text not null,
    actor          text not null,
    result         text not null,
    tiktok_code    text,
    message        text not null,
    request_id     text,
    duration_ms    integer not null
);

create index if not exists attempts_of_connection
    on attempts (connection_id, id desc);

create index if not exists attempts_at
    on attempts (at);

create table if not exists attempt_counts (
    hour       text not null,
    operation  text not null,
    result     text not null,
    slot       integer not null,
    count      integer not null,
    primary key (hour, operation, result, slot)
);

create trigger if not exists attempts_counted
after insert on attempts
begin
    insert into attempt_counts (hour, operation, result, slot, count)
    values (substr(new.at, 1, 13) || ':00:00.000000+00:00', new.operation, new.result, 0, 1)
    on conflict (hour, operation, result, slot) do update
    set count = count + 1; end;

create table if not exists cleanup (
    id              integer primary key,
    next_run_at     text not null,
    attempts_from   text not null,
    attempts_until  text not null
);

create table if not exists audit (
    at             text not null,
    id             text not null,
    actor          text not null,
    action         text not null,
    connection_id  text,
    user_id        text,
    request_id     text,
    peer           text,
    primary key (at, id)
) without rowid;

create index if not exists audit_of_user
    on audit (user_id, at, id);

create index if not exists audit_of_actor
    on audit (actor, at, id);

create table if not exists ended_sessions (
    session_hash  text primary key,
    keep_until    text not null
);

create table if not exists user_accounts (
    id                   text primary key,
    tiktok_access_token  text,
    tiktok_account_id    text,
    tiktok_business_id   text
);

create view if not exists connection_summaries as
select
    c.id, c.user_id, c.family, c.tiktok_user_id, c.status, c.scopes, c.selected_advertiser,
    c.advertiser_lost, c.expires_at, c.refresh_expires_at, c.verified_at, c.last_failure, c.due_at,
    c.connected_at, c.created_at, c.updated_at, c.token_version
from connections c;

create view if not exists connection_details as
select c.accounts, s.*
from connection_summaries s
join connections c on c.id = s.id;

create view if not exists listed_connections as
select
    c.id, c.user_id, c.family, c.tiktok_user_id, c.status, c.scopes,
    case when c.profile is null then '[]' else json_array(json(c.profile)) end as accounts,
    c.selected_advertiser, c.advertiser_lost, c.expires_at, c.refresh_expires_at, c.verified_at,
    c.last_failure, c.due_at, c.connected_at, c.created_at, c.updated_at, c.token_version, c.severity,
    c.search_name
from connections c;

create view if not exists stored_tokens as
select
    c.id as connection_id, c.user_id, c.family, c.tiktok_user_id, c.status, c.scopes,
    c.encrypted_tokens, c.expires_at, c.refresh_expires_at, c.last_failure, c.connected_at,
    c.token_version,
    c.status = 'revoked'
    and exists (
        select 1
        from connections o
        where o.tiktok_user_id = c.tiktok_user_id
            and o.family = c.family
            and o.id <> c.id
            and o.status in ('active', 'refresh_failing')
    ) as tiktok_user_is_connected
from connections c;

-- current_time ()

select strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now') as now;

-- check_writable ()

update schema
set version = -version;

update schema
set version = -version;

-- schema_version ()

select s.version
from schema s;
