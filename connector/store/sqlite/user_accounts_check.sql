-- What is wrong with the customer's table user_accounts. The rules for these files are in schema.sql.

-- check_user_accounts ()

select
    json_array(json_object('name', 'id', 'type', 'text')) as key_columns, true as key_is_usable,
    json_array() as required_columns, json_array() as unsuitable_columns;
