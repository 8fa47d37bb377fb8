-- Lists and replaces all ciphertexts, for a key rotation. The rules for these files are in schema.sql.

-- list_ciphertexts (table_name, after_key, max_rows)

select r.row_key, r.ciphertext, r.user_id, r.family, r.tiktok_user_id
from (
    select
        'connections' as table_name, c.id as row_key, c.encrypted_tokens as ciphertext, c.user_id,
        c.family, c.tiktok_user_id
    from connections c
    union all
    select 'user_accounts', u.id, u.tiktok_access_token, u.id, null, null
    from user_accounts u
    union all
    select 'codes', c.code_hash, c.encrypted_grant, null, null, null
    from codes c
    union all
    select 'endpoints', p.id, p.encrypted_secrets, null, null, null
    from endpoints p
) r
where r.table_name = :table_name
    and r.ciphertext is not null
    and (:after_key is null or r.row_key > :after_key)
order by r.row_key
limit :max_rows;

-- replace_ciphertexts (table_name, replacements)

update connections as c
set encrypted_tokens = i.value ->> 'new'
from json_each(:replacements) i
where :table_name = 'connections'
    and c.id = i.value ->> 'row_key'
    and c.encrypted_tokens = i.value ->> 'old';

update user_accounts as u
set tiktok_access_token = i.value ->> 'new'
from json_each(:replacements) i
where :table_name = 'user_accounts'
    and u.id = i.value ->> 'row_key'
    and u.tiktok_access_token = i.value ->> 'old';

update codes as c
set encrypted_grant = i.value ->> 'new'
from json_each(:replacements) i
where :table_name = 'codes'
    and c.code_hash = i.value ->> 'row_key'
    and c.encrypted_grant = i.value ->> 'old';

update endpoints as p
set encrypted_secrets = i.value ->> 'new'
from json_each(:replacements) i
where :table_name = 'endpoints'
    and p.id = i.value ->> 'row_key'
    and p.encrypted_secrets = i.value ->> 'old';

select i.value ->> 'row_key' as row_key
from json_each(:replacements) i
where i.value ->> 'new' = case :table_name
        when 'connections' then (
            select c.encrypted_tokens
            from connections c
            where c.id = i.value ->> 'row_key'
        )
        when 'user_accounts' then (
            select u.tiktok_access_token
            from user_accounts u
            where u.id = i.value ->> 'row_key'
        )
        when 'codes' then (
            select c.encrypted_grant
            from codes c
            where c.code_hash = i.value ->> 'row_key'
        )
        when 'endpoints' then (
            select p.encrypted_secrets
            from endpoints p
            where p.id = i.value ->> 'row_key'
        )
    end;
