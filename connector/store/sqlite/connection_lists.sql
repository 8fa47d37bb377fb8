-- Lists of connections for people: filters, search and pages. The rules for these files are in schema.sql.
--
-- SQLite plans a statement once for all arguments. So each combination of arguments that needs an index of its
-- own is one part of a `union all`. A part whose first conditions are false reads nothing.

-- search_connections (user_id, family, query, min_severity, before_severity, before_connected_at, before_id, max_rows)

select l.*
from listed_connections l
where l.id in (
    select a.id
    from (
        select c.id
        from connections c
        where :user_id is null
            and :family is null
            and (
                select :query is null or count(*) > 1000
                from (
                    select 1
                    from connections q
                    where q.search_name >= lower(:query)
                        and q.search_name < lower(:query) || char(1114111)
                    limit 1001
                )
            )
            and (
                :query is null
                or (
                    c.search_name >= lower(:query)
                    and c.search_name < lower(:query) || char(1114111)
                )
            )
            and c.severity >= :min_severity
            and (c.severity, c.connected_at, c.id)
                < (:before_severity, :before_connected_at, :before_id)
        order by c.severity desc, c.connected_at desc, c.id desc
        limit :max_rows
    ) a
    union all
    select a.id
    from (
        select c.id
        from connections c
        where :user_id is null
            and c.family = :family
            and (
                select :query is null or count(*) > 1000
                from (
                    select 1
                    from connections q
                    where q.search_name >= lower(:query)
                        and q.search_name < lower(:query) || char(1114111)
                    limit 1001
                )
            )
            and (
                :query is null
                or (
                    c.search_name >= lower(:query)
                    and c.search_name < lower(:query) || char(1114111)
                )
            )
            and c.severity >= :min_severity
            and (c.severity, c.connected_at, c.id)
                < (:before_severity, :before_connected_at, :before_id)
        order by c.severity desc, c.connected_at desc, c.id desc
        limit :max_rows
    ) a
    union all
    select a.id
    from (
        select c.id
        from connections c
        where c.user_id = :user_id
            and (:family is null or c.family = :family)
            and (
                :query is null
                or c.id = :query
                or c.user_id = :query
                or c.tiktok_user_id = :query
                or c.selected_advertiser ->> 'id' = :query
                or (
                    c.search_name >= lower(:query)
                    and c.search_name < lower(:query) || char(1114111)
                )
            )
            and c.severity >= :min_severity
            and (c.severity, c.connected_at, c.id)
                < (:before_severity, :before_connected_at, :before_id)
        order by c.severity desc, c.connected_at desc, c.id desc
        limit :max_rows
    ) a
    union all
    select a.id
    from (
        select c.id
        from connections c
        where :user_id is null
            and (:family is null or c.family = :family)
            and c.id in (
                select q.id
                from connections q
                where q.id = :query
                union all
                select q.id
                from connections q
                where q.user_id = :query
                union all
                select q.id
                from connections q
                where q.tiktok_user_id = :query
                union all
                select q.id
                from connections q
                where q.selected_advertiser ->> 'id' = :query
                union all
                select n.id
                from (
                    select q.id
                    from connections q
                    where q.search_name >= lower(:query)
                        and q.search_name < lower(:query) || char(1114111)
                    limit 1000
                ) n
            )
            and c.severity >= :min_severity
            and (c.severity, c.connected_at, c.id)
                < (:before_severity, :before_connected_at, :before_id)
        order by c.severity desc, c.connected_at desc, c.id desc
        limit :max_rows
    ) a
)
order by l.severity desc, l.connected_at desc, l.id desc
limit :max_rows;

-- count_connections (user_id)

select c.family, c.status, count(*) as count
from (
    select a.family, a.status
    from connections a
    where :user_id is null
    union all
    select u.family, u.status
    from connections u
    where u.user_id = :user_id
) c
group by c.family, c.status
order by c.family, c.status;
