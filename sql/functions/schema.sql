-- The version of the schema. The rules for these files are in access.sql.

drop function if exists public.connector_schema_version;

-- A change of a table gets a new number. The service refuses a database of another version.
delete from connector.schema
where version <> 5;

insert into connector.schema (version)
values (5)
on conflict do nothing;

create function public.connector_schema_version()
returns table (version integer)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    return query
    select s.version
    from connector.schema s;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
