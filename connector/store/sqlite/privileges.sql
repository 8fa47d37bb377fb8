-- Privileges, which SQLite does not have. The rules for these files are in schema.sql.

-- list_privilege_problems ()

select null as role_name, null as privilege, null as object_name
where false;
