-- What a new Supabase project holds before anybody runs anything in it: the roles, the schemas, and the
-- generous default privileges that make every new table and function in `public` everybody's until revoked.
-- As there, the operator's role `postgres` is not a superuser.

create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit;
create role postgres login createdb createrole bypassrls replication;

grant anon, authenticated, service_role to authenticator, postgres;
grant authenticator to postgres;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';

alter database postgres owner to postgres;

create schema extensions;
grant usage on schema extensions to postgres, anon, authenticated, service_role;
grant all on schema extensions to postgres;
alter database postgres set search_path = "$user", public, extensions;

grant usage on schema public to postgres, anon, authenticated, service_role;

alter default privileges for role postgres in schema public
    grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
    grant all on functions to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
    grant all on sequences to anon, authenticated, service_role;

create schema auth;
grant usage on schema auth to postgres, anon, authenticated, service_role;

create table auth.users (
    id uuid primary key,
    email text
);
grant all on auth.users to postgres;

create function auth.jwt() returns jsonb
    language sql stable
    as $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;

create function auth.uid() returns uuid
    language sql stable
    as $$ select (auth.jwt() ->> 'sub')::uuid $$;

create function auth.role() returns text
    language sql stable
    as $$ select auth.jwt() ->> 'role' $$;
