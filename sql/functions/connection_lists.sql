-- Lists of connections for people: filters, search and pages. The rules for these files are in access.sql.

drop function if exists
    public.connector_search_connections,
    public.connector_count_connections;
drop view if exists connector.listed_connections;

-- A listed connection has no advertisers, because they may be thousands. It has its profile, if any.
create view connector.listed_connections as
select
    c.id, c.user_id, c.family, c.tiktok_user_id, c.status, c.scopes,
    case when c.profile is null then '[]'::jsonb else jsonb_build_array(c.profile) end as accounts,
    c.selected_advertiser, c.advertiser_lost, c.expires_at, c.refresh_expires_at, c.verified_at,
    c.last_failure, c.due_at, c.connected_at, c.created_at, c.updated_at, c.token_version, c.severity,
    c.search_name
from connector.connections c;

-- Returns the connections after a position of the list: broken ones first, then the newest. The position of
-- the first page is above all rows. Each call is planned with its own arguments, because each combination
-- of filters needs another index. A search that finds few connections sorts them. A search that finds many
-- reads the list in its order until the page is full, because sorting all would take longer.
create function public.connector_search_connections(
    p_user_id text, p_family text, p_query text, p_min_severity integer, p_before_severity integer,
    p_before_connected_at timestamptz, p_before_id uuid, p_max_rows integer
)
returns setof connector.listed_connections
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
set plan_cache_mode = force_custom_plan
as $$
declare
    c_few constant integer := 1000;
    v_prefix text := lower(p_query collate "und-x-icu");
    v_prefix_end text := v_prefix || chr(1114111);
    v_query_id uuid := case
        when p_query ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_query::uuid
    end;
    v_found uuid[];
begin
    perform connector.require_service_role();
    v_found := array(
        select c.id
        from connector.connections c
        where c.id = v_query_id
        union all
        select c.id
        from connector.connections c
        where c.user_id = p_query
        union all
        select c.id
        from connector.connections c
        where c.tiktok_user_id = p_query
        union all
        select c.id
        from connector.connections c
        where c.selected_advertiser ->> 'id' = p_query
        union all
        (
            select c.id
            from connector.connections c
            where c.search_name >= v_prefix
                and c.search_name < v_prefix_end
            limit c_few + 1
        )
    );
    if cardinality(v_found) > c_few then
        v_found := null;
    end if;
    return query
    select c.*
    from connector.listed_connections c
    where (p_user_id is null or c.user_id = p_user_id)
        and (p_family is null or c.family = p_family)
        and (
            p_query is null
            or c.id = any (v_found)
            or (
                v_found is null
                and (
                    c.id = v_query_id
                    or c.user_id = p_query
                    or c.tiktok_user_id = p_query
                    or c.selected_advertiser ->> 'id' = p_query
                    or (c.search_name >= v_prefix and c.search_name < v_prefix_end)
                )
            )
        )
        and c.severity >= p_min_severity
        and (c.severity, c.connected_at, c.id)
            < (p_before_severity, p_before_connected_at, p_before_id)
    order by c.severity desc, c.connected_at desc, c.id desc
    limit p_max_rows;
end
$$;

create function public.connector_count_connections(p_user_id text)
returns table (family text, status text, count bigint)
language plpgsql security definer
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    return query
    select c.family, c.status, count(*)
    from connector.connections c
    where p_user_id is null
        or c.user_id = p_user_id
    group by c.family, c.status
    order by c.family, c.status;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
