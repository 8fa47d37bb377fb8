-- Protects all tables in the schema `connector`. This file comes last. Running this file again changes nothing.

-- `alter table` locks the table against all readers, so it runs only if row level security is disabled.
do $$
declare
    v_table record;
begin
    for v_table in
        select tablename, rowsecurity
        from pg_catalog.pg_tables
        where schemaname = 'connector'
    loop
        if not v_table.rowsecurity then
            execute format('alter table connector.%I enable row level security', v_table.tablename);
        end if;
        execute format(
            'revoke all on connector.%I from public, anon, authenticated', v_table.tablename
        );
    end loop;
end
$$;
