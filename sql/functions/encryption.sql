-- Lists and replaces all ciphertexts, for a key rotation. The rules for these files are in access.sql.

drop function if exists
    public.connector_list_ciphertexts,
    public.connector_replace_ciphertexts;

-- The columns after the ciphertext are the parts of its associated data.
create function public.connector_list_ciphertexts(
    p_table_name text, p_after_key text, p_max_rows integer
)
returns table (row_key text, ciphertext text, user_id text, family text, tiktok_user_id text)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
    v_key record;
begin
    perform connector.require_service_role();
    if p_table_name = 'connections' then
        return query
        select c.id::text, c.encrypted_tokens, c.user_id, c.family, c.tiktok_user_id
        from connector.connections c
        where c.encrypted_tokens is not null
            and (p_after_key is null or c.id > p_after_key::uuid)
        order by c.id
        limit p_max_rows;
    elsif p_table_name = 'user_accounts' then
        for v_key in
            select k.key_column, k.key_type
            from connector.user_accounts_key() k
        loop
            return query execute format(
                'select u.%1$I::text, u.tiktok_access_token, u.%1$I::text, null::text, null::text '
                'from public.user_accounts u '
                'where u.tiktok_access_token is not null '
                '    and ($1 is null or u.%1$I > $1::%2$s) '
                'order by u.%1$I '
                'limit $2',
                v_key.key_column, v_key.key_type
            )
            using p_after_key, p_max_rows;
        end loop;
    elsif p_table_name = 'codes' then
        return query
        select c.code_hash, c.encrypted_grant, null::text, null::text, null::text
        from connector.codes c
        where c.encrypted_grant is not null
            and (p_after_key is null or c.code_hash > p_after_key)
        order by c.code_hash
        limit p_max_rows;
    elsif p_table_name = 'endpoints' then
        return query
        select p.id::text, p.encrypted_secrets, null::text, null::text, null::text
        from connector.endpoints p
        where p_after_key is null
            or p.id > p_after_key::uuid
        order by p.id
        limit p_max_rows;
    end if;
end
$$;

-- Compares and swaps: a ciphertext that has changed since it was listed is not replaced.
create function public.connector_replace_ciphertexts(p_table_name text, p_replacements jsonb)
returns table (row_key text)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
    v_key record;
begin
    perform connector.require_service_role();
    if p_table_name = 'connections' then
        return query
        update connector.connections c
        set encrypted_tokens = i.new
        from jsonb_to_recordset(p_replacements) as i (row_key uuid, old text, new text)
        where c.id = i.row_key
            and c.encrypted_tokens = i.old
        returning c.id::text;
    elsif p_table_name = 'user_accounts' then
        for v_key in
            select k.key_column, k.key_type
            from connector.user_accounts_key() k
        loop
            return query execute format(
                'update public.user_accounts u '
                'set tiktok_access_token = i.new '
                'from jsonb_to_recordset($1) as i (row_key %2$s, old text, new text) '
                'where u.%1$I = i.row_key '
                '    and u.tiktok_access_token = i.old '
                'returning u.%1$I::text',
                v_key.key_column, v_key.key_type
            )
            using p_replacements;
        end loop;
    elsif p_table_name = 'codes' then
        return query
        update connector.codes c
        set encrypted_grant = i.new
        from jsonb_to_recordset(p_replacements) as i (row_key text, old text, new text)
        where c.code_hash = i.row_key
            and c.encrypted_grant = i.old
        returning c.code_hash;
    elsif p_table_name = 'endpoints' then
        return query
        update connector.endpoints p
        set encrypted_secrets = i.new
        from jsonb_to_recordset(p_replacements) as i (row_key uuid, old text, new text)
        where p.id = i.row_key
            and p.encrypted_secrets = i.old
        returning p.id::text;
    end if;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
