-- Attempts, and their numbers by hour. The rules for these files are in schema.sql.

-- list_attempts (connection_id, max_rows)

select
    a.at, a.operation, a.actor, a.result, a.tiktok_code, a.message, a.request_id, a.duration_ms
from attempts a
where a.connection_id = :connection_id
order by a.id desc
limit :max_rows;

-- count_attempts_by_hour (since)

select
    (unixepoch(substr(t.hour, 1, 19)) - unixepoch(substr(:since, 1, 19))) / 3600 as hour,
    t.operation, t.result, sum(t.count) as count
from attempt_counts t
where t.hour >= :since
group by 1, 2, 3
order by 1, 2, 3;

-- count_user_attempts_by_hour (user_id, since)

select
    (unixepoch(substr(a.at, 1, 19)) - unixepoch(substr(:since, 1, 19))) / 3600 as hour,
    a.operation, a.result, count(*) as count
from connections c
cross join attempts a on a.connection_id = c.id
where c.user_id = :user_id
    and a.at >= :since
group by 1, 2, 3
order by 1, 2, 3;
