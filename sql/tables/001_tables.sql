-- The tables of schema version 5. Run sql/tables in the order of the file names, then sql/functions.
-- Running this file again changes nothing. It contains no `begin` and no `commit`, so that one
-- transaction can include all files: `cat sql/tables/*.sql sql/functions/*.sql | psql --single-transaction`.
--
-- All tables of the service are in the schema `connector`, which PostgREST does not expose. The only other
-- table is the customer's own public.user_accounts, in the next file.

create schema if not exists connector;
revoke all on schema connector from public, anon, authenticated;

-- `create table if not exists` would keep the columns of an older schema without an error.
do $$
begin
    if exists (
        select
        from information_schema.tables
        where table_schema = 'connector'
            and table_name = 'connections'
    ) and not exists (
        select
        from information_schema.columns
        where table_schema = 'connector'
            and table_name = 'connections'
            and column_name = 'expiry_event_at'
    ) then
        raise exception 'The schema "connector" has the tables of an unreleased version. '
            'There is no migration from that version.'
            using hint = 'Delete the old tables with all connections in them: '
                'drop schema connector cascade; then run this file again.';
    end if;
end
$$;

create table if not exists connector.schema (
    version integer primary key
);

create table if not exists connector.connections (
    id                   uuid primary key,
    user_id              text not null,
    family               text not null,
    tiktok_user_id       text not null,
    status               text not null
        check (status in ('active', 'refresh_failing', 'reconnect_required', 'revoked')),
    scopes               jsonb not null,
    accounts             jsonb not null,
    selected_advertiser  jsonb,
    advertiser_lost      boolean not null,
    -- The user's row in user_accounts has the selected advertiser and the token of this connection.
    in_user_accounts     boolean not null default false,
    encrypted_tokens     text,
    expires_at           timestamptz,
    refresh_expires_at   timestamptz,
    verified_at          timestamptz,
    last_failure         jsonb,
    -- `due_at` is the end of the lease while lease_owner is set, otherwise the time of the next check. So
    -- one index finds both due connections and expired leases.
    due_at               timestamptz,
    lease_owner          text,
    -- Increases with each new pair of tokens, and when a webhook ends the connection. A write is refused unless it
    -- names the current version.
    token_version        integer not null,
    -- The time at which the code of the stored grant was claimed. An older grant never replaces a newer one.
    granted_at           timestamptz not null,
    disconnected_at      timestamptz,
    -- The time of the last event that the grant expires soon.
    expiry_event_at      timestamptz,
    connected_at         timestamptz not null,
    created_at           timestamptz not null,
    updated_at           timestamptz not null,
    -- The columns below are for lists. The severity is also in connector/store/connection_lists.py.
    severity             smallint not null generated always as (
        case status
            when 'reconnect_required' then 3
            when 'refresh_failing' then 2
            when 'active' then 1
            else 0
        end
    ) stored,
    -- Without this column, a list would read all accounts of a connection, which may be thousands.
    profile              jsonb generated always as (
        case when accounts #>> '{0,kind}' <> 'advertiser' then accounts -> 0 end
    ) stored,
    -- The name that people see, in lower case. Cut, because an index refuses longer values.
    search_name          text collate "C" generated always as (
        left(
            lower(
                coalesce(
                    selected_advertiser ->> 'name',
                    case when accounts #>> '{0,kind}' <> 'advertiser' then accounts #>> '{0,name}' end
                ) collate "und-x-icu"
            ),
            200
        )
    ) stored,
    unique (user_id, family, tiktok_user_id)
) with (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.01);

create index if not exists connections_due
    on connector.connections (due_at)
    where due_at is not null;

-- Finds the other connections of a TikTok user before tokens are revoked.
create index if not exists connections_of_tiktok_user
    on connector.connections (tiktok_user_id, family);

create unique index if not exists connections_in_user_accounts
    on connector.connections (user_id)
    where in_user_accounts;

create index if not exists connections_listed
    on connector.connections (severity, connected_at, id);

create index if not exists connections_listed_by_family
    on connector.connections (family, severity, connected_at, id);

create index if not exists connections_of_advertiser
    on connector.connections ((selected_advertiser ->> 'id'))
    where selected_advertiser is not null;

create index if not exists connections_named
    on connector.connections (search_name)
    where search_name is not null;

-- One row per authorization code: the process that claimed the code, and the reply to its exchange.
create table if not exists connector.codes (
    code_hash        text primary key,
    -- A hash of the state that came with the code. A state is used up by its first connection.
    state_hash       text not null,
    user_id          text not null,
    family           text not null,
    claimed_by       text not null,
    claimed_until    timestamptz not null,
    encrypted_grant  text,
    reply            jsonb,
    -- The time of the first claim. It orders the grants of a user.
    created_at       timestamptz not null
);

create index if not exists codes_created
    on connector.codes (created_at);

create index if not exists codes_of_state
    on connector.codes (state_hash);

create index if not exists codes_with_grant
    on connector.codes (user_id, family)
    where encrypted_grant is not null;

create table if not exists connector.attempts (
    id             bigint generated always as identity primary key,
    connection_id  uuid,
    at             timestamptz not null,
    operation      text not null,
    actor          text not null,
    result         text not null,
    tiktok_code    text,
    message        text not null,
    request_id     text,
    duration_ms    integer not null
) with (autovacuum_vacuum_scale_factor = 0.01);

create index if not exists attempts_of_connection
    on connector.attempts (connection_id, id desc);

create index if not exists attempts_at
    on connector.attempts (at);

-- The number of attempts in each hour, which a trigger in history.sql adds up. Each process of Postgres uses
-- one of several slots, because transactions that change the same row wait for each other.
create table if not exists connector.attempt_counts (
    hour       timestamptz not null,
    operation  text not null,
    result     text not null,
    slot       smallint not null,
    count      bigint not null,
    primary key (hour, operation, result, slot)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);

-- One row: when the next deletion of old rows is due, and the window of attempts that the last one has checked.
create table if not exists connector.cleanup (
    id              smallint primary key,
    next_run_at     timestamptz not null,
    attempts_from   timestamptz not null,
    attempts_until  timestamptz not null
);

-- Who read or changed what. The ids are text, because `erase` replaces them. An entry has no number, because
-- the key (time and id) finds an entry that is written twice, and sorts the list.
create table if not exists connector.audit (
    at             timestamptz not null,
    id             text not null,
    actor          text not null,
    action         text not null,
    connection_id  text,
    user_id        text,
    request_id     text,
    peer           text,
    primary key (at, id)
);

-- There is no index by connection: an entry of a connection also names its user. Each index in random order costs a
-- token read a tenth of its rate.
create index if not exists audit_of_user
    on connector.audit (user_id, at, id);

create index if not exists audit_of_actor
    on connector.audit (actor, at, id);

-- One row per browser session that was ended before it expired, by the digest of its cookie.
create table if not exists connector.ended_sessions (
    session_hash  text primary key,
    keep_until    timestamptz not null
);
