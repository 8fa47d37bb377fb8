-- The tables. Run by the operator, once per database, in the Supabase SQL editor or with psql; running it
-- again changes nothing. Then run 002_functions.sql.
--
-- Everything of ours lives in the schema `connector`, which PostgREST does not expose. The one table outside
-- it is the customer's own public.user_accounts: created if missing, else given three columns and left alone.

begin;

create schema if not exists connector;
revoke all on schema connector from public, anon, authenticated;

create table if not exists connector.schema (
    version integer primary key
);

create table if not exists connector.connections (
    id                  uuid primary key,
    user_id             uuid not null,
    family              text not null,
    subject             text not null,
    status              text not null
        check (status in ('active', 'refresh_failing', 'reconnect_required', 'revoked')),
    scopes              jsonb not null,
    accounts            jsonb not null,
    chosen              jsonb,
    advertiser_lost     boolean not null,
    sealed              text,
    expires_at          timestamptz,
    refresh_expires_at  timestamptz,
    verified_at         timestamptz,
    failure             jsonb,
    -- Due, or visible again, at: a claim pushes it forward by the lease, so one index serves both.
    due_at              timestamptz,
    holder              text,
    -- Counts the tokens this row has had: a write names the one it started from.
    version             integer not null,
    connected_at        timestamptz not null,
    created_at          timestamptz not null,
    updated_at          timestamptz not null,
    unique (user_id, family, subject)
) with (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.01);

create index if not exists connections_due
    on connector.connections (due_at)
    where due_at is not null;

-- One row per authorization code presented: who is exchanging it, what came of it.
create table if not exists connector.codes (
    key         text primary key,
    user_id     uuid not null,
    family      text not null,
    holder      text not null,
    held_until  timestamptz not null,
    sealed      text,
    answer      jsonb,
    created_at  timestamptz not null
);

create index if not exists codes_created
    on connector.codes (created_at);

create table if not exists connector.events (
    id             bigint generated always as identity primary key,
    at             timestamptz not null,
    kind           text not null,
    connection_id  uuid not null,
    user_id        uuid not null,
    detail         jsonb not null
);

create index if not exists events_at
    on connector.events (at);

create table if not exists connector.attempts (
    id             bigint generated always as identity primary key,
    connection_id  uuid,
    at             timestamptz not null,
    what           text not null,
    who            text not null,
    verdict        text not null,
    code           text,
    message        text not null,
    request_id     text,
    took_ms        integer not null
) with (autovacuum_vacuum_scale_factor = 0.01);

create index if not exists attempts_of_connection
    on connector.attempts (connection_id, id desc);

create index if not exists attempts_at
    on connector.attempts (at);

do $$
declare
    name text;
begin
    for name in select tablename from pg_catalog.pg_tables where schemaname = 'connector' loop
        execute format('alter table connector.%I enable row level security', name);
        execute format('revoke all on connector.%I from public, anon, authenticated', name);
    end loop;
end
$$;

-- The customer's own table.

create table if not exists public.user_accounts (
    id uuid primary key
);

alter table public.user_accounts
    add column if not exists tiktok_access_token text,
    add column if not exists tiktok_account_id text,
    add column if not exists tiktok_business_id text;

comment on column public.user_accounts.tiktok_account_id is 'The chosen advertiser''s name.';
comment on column public.user_accounts.tiktok_business_id is 'The chosen advertiser''s id.';

alter table public.user_accounts enable row level security;

do $$
begin
    if not exists (
        select from pg_catalog.pg_policies
        where schemaname = 'public'
            and tablename = 'user_accounts'
            and policyname = 'connector: people read their own row'
    ) then
        create policy "connector: people read their own row"
            on public.user_accounts
            for select
            to authenticated
            using ((select auth.uid()) = id);
    end if;
end
$$;

-- A privilege on the whole table includes the token column, and revoking one column does not take it out
-- again. So what a role has on the table is given back column by column: reading without the token, writing
-- without anything that is ours.
do $$
declare
    role text;
    privilege text;
    columns text;
begin
    foreach role in array array['anon', 'authenticated'] loop
        foreach privilege in array array['select', 'insert', 'update'] loop
            continue when not has_table_privilege(role, 'public.user_accounts', privilege);
            select string_agg(quote_ident(column_name), ', ' order by ordinal_position)
            into columns
            from information_schema.columns
            where table_schema = 'public'
                and table_name = 'user_accounts'
                and column_name <> 'tiktok_access_token'
                and (
                    privilege = 'select'
                    or column_name not in ('tiktok_account_id', 'tiktok_business_id')
                );
            execute format('revoke %s on public.user_accounts from %I', privilege, role);
            execute format('grant %s (%s) on public.user_accounts to %I', privilege, columns, role);
        end loop;
        execute format('revoke truncate, references, trigger on public.user_accounts from %I', role);
    end loop;
    revoke all on public.user_accounts from public;
    grant select (id, tiktok_account_id, tiktok_business_id) on public.user_accounts to authenticated;
end
$$;

commit;
