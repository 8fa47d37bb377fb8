-- Lists and replaces all ciphertexts, for a key rotation. The rules for these files are in access.sql.

drop function if exists
    public.connector_list_ciphertexts,
    public.connector_replace_ciphertexts;

-- The columns after the ciphertext are the parts of its associated data.
create function public.connector_list_ciphertexts(
    p_table_name text, p_after_key text, p_max_rows integer
)
returns table (row_key text, ciphertext text, user_id uuid, family text, tiktok_user_id text)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
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
        return query
        select u.id::text, u.tiktok_access_token, u.id, null::text, null::text
        from public.user_accounts u
        where u.tiktok_access_token is not null
            and (p_after_key is null or u.id > p_after_key::uuid)
        order by u.id
        limit p_max_rows;
    elsif p_table_name = 'codes' then
        return query
        select c.code_hash, c.encrypted_grant, null::uuid, null::text, null::text
        from connector.codes c
        where c.encrypted_grant is not null
            and (p_after_key is null or c.code_hash > p_after_key)
        order by c.code_hash
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
        return query
        update public.user_accounts u
        set tiktok_access_token = i.new
        from jsonb_to_recordset(p_replacements) as i (row_key uuid, old text, new text)
        where u.id = i.row_key
            and u.tiktok_access_token = i.old
        returning u.id::text;
    elsif p_table_name = 'codes' then
        return query
        update connector.codes c
        set encrypted_grant = i.new
        from jsonb_to_recordset(p_replacements) as i (row_key text, old text, new text)
        where c.code_hash = i.row_key
            and c.encrypted_grant = i.old
        returning c.code_hash;
    end if;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
