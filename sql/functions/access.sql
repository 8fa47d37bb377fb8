-- Restricts the callers of the functions. The rules for all files in sql/functions:
--
-- - Run sql/tables first, then these files in alphabetical order. This file comes first, because the other
--   files call connector.restrict_privileges(). Keep its name alphabetically first.
-- - A file drops its own functions and views and creates them again, so that arguments, results and views
--   can change. Functions are dropped by name, because each has one signature only: PostgREST selects a
--   function by its argument names, and two signatures are ambiguous. A new argument comes last and has a
--   default. A function that is no longer needed stays in the list of its file's `drop function`.
-- - A file uses no view of another file. So each file can also be run again by itself, in any order.
-- - No file contains `begin` or `commit`, so that one transaction can include all files.
--
-- The rules for the functions:
--
-- - The same names and arguments are in connector/store/*.py and connector/store/sqlite/*.sql, but
--   without the prefixes. One call is one transaction, so a change and its event are one operation.
-- - Functions are `security definer` with an empty `search_path` and call require_service_role() first.
-- - `p_now` is null in production, and the database's clock is used, because replicas must agree on the
--   time. Tests pass a time. An operation reads the clock once and uses this value everywhere.
-- - A JSON null in an item becomes an SQL null, even if the column is jsonb.
-- - A function sets `enable_seqscan = off` if its lookup can use an index. Otherwise Postgres may reuse a
--   plan from the time when the tables were small, and this plan reads the whole table. For the same reason
--   rows of a JSON list are found with `= any (array (…))`: Postgres expects a hundred rows from a JSON list.
-- - If such a function still reads a small table whole, it also sets `jit = off`. The plan of this scan has a cost for
--   which Postgres compiles the query first, which takes longer than a tenth of a second.
-- - A connection is found by its user or its TikTok user, and its family is compared with `is not distinct from`,
--   for which Postgres uses no index. Otherwise a plan from the time when the table was small may use the index
--   that begins with the family, and read every connection of the family.

drop procedure if exists connector.restrict_privileges;
drop function if exists connector.require_service_role;

-- Every public function calls this first. The privileges alone do not protect a `security definer` function:
-- a restored dump, or one `grant all on all functions in schema public`, gives `execute` back to anon.
-- PostgREST sets the role. A direct connection sets no role, so its login role is used. current_user is the
-- owner of the calling function, because that function is a `security definer`.
create function connector.require_service_role() returns void
language plpgsql stable
set search_path = ''
as $$
declare
    v_caller text := coalesce(nullif(current_setting('role', true), 'none'), session_user);
begin
    if v_caller not in ('service_role', current_user::text) then
        raise exception using
            errcode = 'insufficient_privilege',
            message = 'Only service_role and the owner of this function may call it.';
    end if;
end
$$;

-- Every file in sql/functions ends with a call of this procedure, because Postgres and Supabase let every
-- role execute a new function in `public`. The procedure allows functions with the prefix `connector_` only
-- for service_role, and all objects in the schema `connector` only for its owner.
create procedure connector.restrict_privileges()
language plpgsql
set search_path = ''
as $$
declare
    v_function regprocedure;
begin
    revoke all on all tables in schema connector from public, anon, authenticated;
    revoke all on all routines in schema connector from public, anon, authenticated;
    for v_function in
        select p.oid
        from pg_catalog.pg_proc p
        where p.pronamespace = 'public'::regnamespace
            and p.proname like 'connector\_%'
    loop
        execute format('revoke all on function %s from public, anon, authenticated', v_function);
        execute format('grant execute on function %s to service_role', v_function);
    end loop;
end
$$;

call connector.restrict_privileges();
