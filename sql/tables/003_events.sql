-- Events, the endpoints they are sent to, and TikTok's webhooks. Running this file again changes nothing.

-- `position` is the order in which events were inserted. For one connection this is the order of the changes, because
-- each change locks the row of the connection. `seq` is the number that readers see. A transaction with a
-- lower position may commit late, so events are numbered after their commit.
create table if not exists connector.events (
    position        bigint generated always as identity primary key,
    id              uuid not null default gen_random_uuid(),
    seq             bigint unique,
    type            text not null,
    connection_id   uuid,
    user_id         text,
    -- Only of events of the types `tiktok.*`, which belong to no single connection.
    tiktok_user_id  text,
    -- The state at the time of the event. Never a token.
    data            jsonb not null,
    created_at      timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0.01);

create index if not exists events_without_number
    on connector.events (position)
    where seq is null;

-- One row, from the first event on: the last number, and the last number whose event was deleted because of its age.
create table if not exists connector.event_numbers (
    id             smallint primary key,
    last_seq       bigint not null,
    deleted_until  bigint not null
);

create table if not exists connector.endpoints (
    id                 uuid primary key,
    url                text not null,
    -- Types of events, or prefixes such as `connection.*`.
    events             jsonb not null,
    description        text not null,
    encrypted_secrets  text not null,
    state              text not null check (state in ('enabled', 'disabled')),
    disabled_reason    text,
    -- The time of the first failed attempt since the last successful one.
    failing_since      timestamptz,
    failures           integer not null default 0,
    last_success_at    timestamptz,
    created_at         timestamptz not null,
    updated_at         timestamptz not null
);

-- The functions disable sequential scans. Without an index, the plan of such a scan has a cost for which Postgres compiles
-- the query first (JIT), which takes a second.
create index if not exists endpoints_enabled
    on connector.endpoints (id)
    where state = 'enabled';

create table if not exists connector.deliveries (
    id              bigint generated always as identity primary key,
    event_position  bigint not null references connector.events on delete cascade,
    endpoint_id     uuid not null references connector.endpoints on delete cascade,
    state           text not null check (state in ('pending', 'delivered', 'exhausted', 'dropped')),
    attempts        integer not null default 0,
    -- The end of the lease while lease_owner is set, otherwise the time of the next attempt.
    due_at          timestamptz,
    lease_owner     text,
    last_status     integer,
    last_error      text,
    last_at         timestamptz,
    last_ms         integer,
    delivered_at    timestamptz,
    unique (event_position, endpoint_id)
) with (autovacuum_vacuum_scale_factor = 0.01);

create index if not exists deliveries_due
    on connector.deliveries (endpoint_id, due_at)
    where state = 'pending';

create index if not exists deliveries_leased
    on connector.deliveries (endpoint_id)
    where lease_owner is not null;

create index if not exists deliveries_of_endpoint
    on connector.deliveries (endpoint_id, id desc);

-- The number of attempts to reach an endpoint in each hour.
create table if not exists connector.delivery_counts (
    endpoint_id  uuid not null references connector.endpoints on delete cascade,
    hour         timestamptz not null,
    delivered    bigint not null,
    failed       bigint not null,
    primary key (endpoint_id, hour)
) with (fillfactor = 50);

-- `digest` identifies the content of a webhook, because TikTok sends the same webhook several times.
create table if not exists connector.webhooks (
    digest          text primary key,
    app             text not null,
    tiktok_user_id  text,
    event           text not null,
    content         jsonb not null,
    outcome         text not null,
    created_at      timestamptz,
    received_at     timestamptz not null
);

create index if not exists webhooks_received
    on connector.webhooks (received_at);

-- Never deleted, so that `connector check` can tell a missing webhook from an old one.
create table if not exists connector.webhook_apps (
    app              text primary key,
    last_webhook_at  timestamptz not null
);
