-- The operations in SQLite's words; sql/002_functions.sql says the same in PostgreSQL's, and why.
--
-- A block begins with its name and arguments. It is one transaction; its last statement answers the rows.
-- Times are text of one width in UTC, so they compare as they should; JSON is text.

-- tables ()

create table if not exists schema (
    version integer primary key
);

insert or ignore into schema (version) values (2);

-- From 1 to 2 only operations changed, no table.
delete from schema
where version = 1;

create table if not exists connections (
    id                  text primary key,
    user_id             text not null,
    family              text not null,
    subject             text not null,
    status              text not null
        check (status in ('active', 'refresh_failing', 'reconnect_required', 'revoked')),
    scopes              text not null,
    accounts            text not null,
    chosen              text,
    advertiser_lost     integer not null,
    sealed              text,
    expires_at          text,
    refresh_expires_at  text,
    verified_at         text,
    failure             text,
    due_at              text,
    holder              text,
    version             integer not null,
    connected_at        text not null,
    created_at          text not null,
    updated_at          text not null,
    unique (user_id, family, subject)
);

create index if not exists connections_due
    on connections (due_at)
    where due_at is not null;

create table if not exists codes (
    key         text primary key,
    user_id     text not null,
    family      text not null,
    holder      text not null,
    held_until  text not null,
    sealed      text,
    answer      text,
    created_at  text not null
);

create index if not exists codes_created
    on codes (created_at);

create table if not exists events (
    id             integer primary key autoincrement,
    at             text not null,
    kind           text not null,
    connection_id  text not null,
    user_id        text not null,
    detail         text not null
);

create index if not exists events_at
    on events (at);

create table if not exists attempts (
    id             integer primary key autoincrement,
    connection_id  text,
    at             text not null,
    what           text not null,
    who            text not null,
    verdict        text not null,
    code           text,
    message        text not null,
    request_id     text,
    took_ms        integer not null
);

create index if not exists attempts_of_connection
    on attempts (connection_id, id desc);

create index if not exists attempts_at
    on attempts (at);

create table if not exists user_accounts (
    id                   text primary key,
    tiktok_access_token  text,
    tiktok_account_id    text,
    tiktok_business_id   text
);

create view if not exists shown as
select
    c.id, c.user_id, c.family, c.subject, c.status, c.scopes, c.chosen, c.advertiser_lost,
    c.expires_at, c.refresh_expires_at, c.verified_at, c.failure, c.due_at,
    c.connected_at, c.created_at, c.updated_at, c.version
from connections c;

create view if not exists kept as
select
    c.id, c.user_id, c.family, c.subject, c.status, c.scopes, c.sealed,
    c.expires_at, c.refresh_expires_at, c.failure, c.connected_at, c.version
from connections c;

-- prove ()

update schema
set version = -version;

update schema
set version = -version;

-- ready ()

select s.version
from schema s;

-- claim_codes (claims)

insert into codes as c (key, user_id, family, holder, held_until, created_at)
select
    w.value ->> 'key', w.value ->> 'user_id', w.value ->> 'family', w.value ->> 'holder',
    w.value ->> 'until', w.value ->> 'at'
from json_each(:claims) w
where true
on conflict (key) do update
set
    holder = excluded.holder,
    held_until = excluded.held_until
where c.answer is null
    and c.held_until <= excluded.created_at;

select
    c.key,
    w.mine,
    case when w.mine then c.sealed end as sealed,
    c.answer,
    (
        select json_group_array(
            json_object('id', k.id, 'subject', k.subject, 'chosen', json(k.chosen))
        )
        from connections k
        where k.user_id = w.user_id
            and k.family = w.family
            and w.mine
    ) as known,
    (
        select u.tiktok_business_id
        from user_accounts u
        where u.id = w.user_id
            and w.mine
    ) as earlier
from codes c
join (
    select
        w.value ->> 'key' as key, w.value ->> 'user_id' as user_id,
        w.value ->> 'family' as family,
        s.answer is null
            and s.holder = w.value ->> 'holder'
            and s.held_until = w.value ->> 'until' as mine
    from json_each(:claims) w
    join codes s on s.key = w.value ->> 'key'
) w on w.key = c.key;

-- settle_code (key, holder, sealed, answer, attempt, now)

insert into attempts (connection_id, at, what, who, verdict, code, message, request_id, took_ms)
select
    null, :attempt ->> 'at', :attempt ->> 'what', :attempt ->> 'who', :attempt ->> 'verdict',
    :attempt ->> 'code', :attempt ->> 'message', :attempt ->> 'request_id', :attempt ->> 'took_ms'
where :attempt is not null;

update codes as c
set
    sealed = case when :answer is null then coalesce(:sealed, c.sealed) end,
    answer = :answer,
    held_until = :now
where c.key = :key
    and c.holder = :holder
    and c.answer is null
returning key;

-- restore_code (key, user_id, family, holder, sealed, now, until)

insert into codes as c (key, user_id, family, holder, held_until, sealed, created_at)
values (:key, :user_id, :family, :holder, :until, :sealed, :now)
on conflict (key) do update
set
    holder = excluded.holder,
    held_until = excluded.held_until,
    sealed = excluded.sealed,
    answer = null
where c.answer is null
    or c.answer ->> 'connection_id' is null;

select
    (
        select json_group_array(
            json_object('id', k.id, 'subject', k.subject, 'chosen', json(k.chosen))
        )
        from connections k
        where k.user_id = :user_id
            and k.family = :family
    ) as known,
    (
        select u.tiktok_business_id
        from user_accounts u
        where u.id = :user_id
    ) as earlier
from codes c
where c.key = :key
    and c.holder = :holder
    and c.answer is null;

-- save_connections (connections)

insert into connections as c (
    id, user_id, family, subject, status, scopes, accounts, chosen, advertiser_lost, sealed,
    expires_at, refresh_expires_at, verified_at, due_at, version, connected_at, created_at, updated_at
)
select
    g.value ->> 'id', g.value ->> 'user_id', g.value ->> 'family', g.value ->> 'subject', 'active',
    g.value ->> 'scopes', g.value ->> 'accounts', g.value ->> 'chosen', false, g.value ->> 'sealed',
    g.value ->> 'expires_at', g.value ->> 'refresh_expires_at', g.value ->> 'at',
    g.value ->> 'due_at', 1, g.value ->> 'at', g.value ->> 'at', g.value ->> 'at'
from json_each(:connections) g
where true
on conflict (user_id, family, subject) do update
set
    status = 'active',
    scopes = excluded.scopes,
    accounts = excluded.accounts,
    chosen = coalesce(excluded.chosen, c.chosen),
    advertiser_lost = excluded.chosen is null
        and c.chosen is not null
        and not exists (
            select 1
            from json_each(excluded.accounts) a
            where a.value ->> 'id' = c.chosen ->> 'id'
        ),
    sealed = excluded.sealed,
    expires_at = excluded.expires_at,
    refresh_expires_at = excluded.refresh_expires_at,
    verified_at = excluded.verified_at,
    failure = null,
    due_at = excluded.due_at,
    holder = null,
    version = c.version + 1,
    connected_at = excluded.connected_at,
    updated_at = excluded.updated_at;

insert into user_accounts (id, tiktok_access_token, tiktok_account_id, tiktok_business_id)
select
    g.value ->> 'user_id', g.value ->> 'account_token', g.value ->> '$.chosen.name',
    g.value ->> '$.chosen.id'
from json_each(:connections) g
where g.value ->> 'family' = 'marketing'
    and g.value ->> 'chosen' is not null
on conflict (id) do update
set
    tiktok_access_token = excluded.tiktok_access_token,
    tiktok_account_id = excluded.tiktok_account_id,
    tiktok_business_id = excluded.tiktok_business_id;

insert into events (at, kind, connection_id, user_id, detail)
select
    g.value ->> 'at', case c.version when 1 then 'connected' else 'reconnected' end,
    c.id, c.user_id,
    json_object('family', c.family, 'chosen', json(g.value -> 'chosen'))
from json_each(:connections) g
join connections c on c.user_id = g.value ->> 'user_id'
    and c.family = g.value ->> 'family'
    and c.subject = g.value ->> 'subject';

insert into attempts (connection_id, at, what, who, verdict, code, message, request_id, took_ms)
select
    c.id, g.value ->> '$.attempt.at', g.value ->> '$.attempt.what', g.value ->> '$.attempt.who',
    g.value ->> '$.attempt.verdict', g.value ->> '$.attempt.code',
    g.value ->> '$.attempt.message', g.value ->> '$.attempt.request_id',
    g.value ->> '$.attempt.took_ms'
from json_each(:connections) g
join connections c on c.user_id = g.value ->> 'user_id'
    and c.family = g.value ->> 'family'
    and c.subject = g.value ->> 'subject';

update codes as c
set
    sealed = null,
    answer = json_set(json(g.value -> 'answer'), '$.connection_id', k.id),
    held_until = g.value ->> 'at'
from json_each(:connections) g
join connections k on k.user_id = g.value ->> 'user_id'
    and k.family = g.value ->> 'family'
    and k.subject = g.value ->> 'subject'
where c.key = g.value ->> 'key'
returning key, answer;

-- choose (id, chosen, account_token, now)

insert into user_accounts (id, tiktok_access_token, tiktok_account_id, tiktok_business_id)
select c.user_id, :account_token, :chosen ->> 'name', :chosen ->> 'id'
from connections c
where c.id = :id
    and c.status <> 'revoked'
on conflict (id) do update
set
    tiktok_access_token = excluded.tiktok_access_token,
    tiktok_account_id = excluded.tiktok_account_id,
    tiktok_business_id = excluded.tiktok_business_id;

insert into events (at, kind, connection_id, user_id, detail)
select :now, 'chosen', c.id, c.user_id, json_object('chosen', json(:chosen))
from connections c
where c.id = :id
    and c.status <> 'revoked';

update connections as c
set
    chosen = :chosen,
    advertiser_lost = false,
    updated_at = :now
where c.id = :id
    and c.status <> 'revoked'
returning id;

-- connection (id)

select
    c.id, c.user_id, c.family, c.subject, c.status, c.scopes, c.accounts,
    c.chosen, c.advertiser_lost, c.expires_at, c.refresh_expires_at,
    c.verified_at, c.failure, c.due_at, c.connected_at,
    c.created_at, c.updated_at, c.version
from connections c
where c.id = :id;

-- connections (user_id, family, after, most)

select s.*
from shown s
where (:user_id is null or s.user_id = :user_id)
    and (:family is null or s.family = :family)
    and (:after is null or s.id > :after)
order by s.id
limit :most;

-- read_tokens (ids)

select k.*
from kept k
where k.id in (
    select i.value
    from json_each(:ids) i
);

-- find_token (user_id, family)

select k.*
from kept k
where k.user_id = :user_id
    and k.family = :family
order by k.status in ('active', 'refresh_failing') desc, k.connected_at desc, k.id
limit 1;

-- claim_refresh (id, version, holder, now, until)

update connections as c
set
    holder = :holder,
    due_at = :until
where c.id = :id
    and c.version = :version
    and c.sealed is not null
    and c.status <> 'reconnect_required'
    and (c.holder is null or c.due_at <= :now)
returning
    id, user_id, family, subject, status, scopes, sealed,
    expires_at, refresh_expires_at, failure, connected_at, version;

-- claim_due (holder, most, now, until)

update connections as c
set
    holder = :holder,
    due_at = :until
where c.id in (
    select d.id
    from connections d
    where d.due_at <= :now
    order by d.due_at
    limit :most
)
returning
    id, user_id, family, subject, status, scopes, sealed,
    expires_at, refresh_expires_at, failure, connected_at, version;

-- release (holders, now, until)

update connections as c
set
    holder = null,
    due_at = :now
where c.due_at > :now
    and c.due_at <= :until
    and c.holder in (
        select h.value
        from json_each(:holders) h
    )
returning id;

-- save_outcomes (outcomes, now)

insert into events (at, kind, connection_id, user_id, detail)
select :now, coalesce(o.value ->> 'event', 'recovered'), c.id, c.user_id, '{}'
from json_each(:outcomes) o
join connections c on c.id = o.value ->> 'id'
where (
        o.value ->> 'event' is not null
        or (c.status = 'reconnect_required' and o.value ->> 'status' = 'active')
    )
    and c.version = o.value ->> 'version'
    and (c.holder = o.value ->> 'holder' or o.value ->> 'sealed' is not null);

insert into events (at, kind, connection_id, user_id, detail)
select
    :now, 'advertiser_lost', c.id, c.user_id, json_object('chosen', json(c.chosen))
from json_each(:outcomes) o
join connections c on c.id = o.value ->> 'id'
where o.value ->> 'accounts' is not null
    and c.version = o.value ->> 'version'
    and (c.holder = o.value ->> 'holder' or o.value ->> 'sealed' is not null)
    and c.chosen is not null
    and not c.advertiser_lost
    and not exists (
        select 1
        from json_each(o.value ->> 'accounts') a
        where a.value ->> 'id' = c.chosen ->> 'id'
    );

insert into attempts (connection_id, at, what, who, verdict, code, message, request_id, took_ms)
select
    o.value ->> 'id', o.value ->> '$.attempt.at', o.value ->> '$.attempt.what',
    o.value ->> '$.attempt.who',
    case
        when exists (
            select 1
            from connections c
            where c.id = o.value ->> 'id'
                and c.version = o.value ->> 'version'
                and (c.holder = o.value ->> 'holder' or o.value ->> 'sealed' is not null)
        ) then o.value ->> '$.attempt.verdict'
        else 'superseded'
    end,
    o.value ->> '$.attempt.code', o.value ->> '$.attempt.message',
    o.value ->> '$.attempt.request_id', o.value ->> '$.attempt.took_ms'
from json_each(:outcomes) o
where o.value ->> '$.attempt.at' is not null;

update connections as c
set
    status = case when c.status = 'revoked' then 'revoked' else o.value ->> 'status' end,
    sealed = case
        when o.value ->> 'forget' then null
        else coalesce(o.value ->> 'sealed', c.sealed)
    end,
    expires_at = case
        when o.value ->> 'sealed' is null then c.expires_at
        else o.value ->> 'expires_at'
    end,
    refresh_expires_at = case
        when o.value ->> 'sealed' is null then c.refresh_expires_at
        else o.value ->> 'refresh_expires_at'
    end,
    verified_at = coalesce(o.value ->> 'verified_at', c.verified_at),
    failure = o.value ->> 'failure',
    due_at = case
        when c.status = 'revoked' and o.value ->> 'status' <> 'revoked' then :now
        else o.value ->> 'due_at'
    end,
    accounts = coalesce(o.value ->> 'accounts', c.accounts),
    advertiser_lost = case
        when o.value ->> 'accounts' is null then c.advertiser_lost
        else c.chosen is not null
            and not exists (
                select 1
                from json_each(o.value ->> 'accounts') a
                where a.value ->> 'id' = c.chosen ->> 'id'
            )
    end,
    holder = null,
    version = c.version + (o.value ->> 'sealed' is not null),
    updated_at = :now
from json_each(:outcomes) o
where c.id = o.value ->> 'id'
    and c.version = o.value ->> 'version'
    and (c.holder = o.value ->> 'holder' or o.value ->> 'sealed' is not null)
returning id, version;

-- begin_revoke (id, now)

insert into events (at, kind, connection_id, user_id, detail)
select :now, 'disconnected', c.id, c.user_id, '{}'
from connections c
where c.id = :id
    and c.status <> 'revoked';

update user_accounts as u
set
    tiktok_access_token = null,
    tiktok_account_id = null,
    tiktok_business_id = null
from connections c
where c.id = :id
    and c.status <> 'revoked'
    and u.id = c.user_id
    and c.family = 'marketing'
    and c.chosen is not null
    and (
        u.tiktok_business_id = c.chosen ->> 'id'
        or not exists (
            select 1
            from connections o
            where o.user_id = c.user_id
                and o.family = 'marketing'
                and o.status <> 'revoked'
                and o.id <> c.id
                and o.chosen ->> 'id' = u.tiktok_business_id
        )
    );

update connections as c
set
    status = 'revoked',
    due_at = case when c.holder is not null and c.due_at > :now then c.due_at else :now end,
    failure = null,
    updated_at = :now
where c.id = :id
    and c.status <> 'revoked';

select k.*
from kept k
where k.id = :id;

-- attempts (id, most)

select a.at, a.what, a.who, a.verdict, a.code, a.message, a.request_id, a.took_ms
from attempts a
where a.connection_id = :id
order by a.id desc
limit :most;

-- pulse (user_id, since)

select
    (
        unixepoch(substr(a.at, 1, 19)) - unixepoch(substr(:since, 1, 19))
        - (substr(a.at, 20, 7) < substr(:since, 20, 7))
    ) / 3600 as hour,
    a.what, a.verdict, count(*) as times
from attempts a
where a.at >= :since
    and (
        :user_id is null
        or a.connection_id in (
            select c.id
            from connections c
            where c.user_id = :user_id
        )
    )
group by 1, 2, 3
order by 1, 2, 3;

-- census ()

select c.family, c.status, count(*) as times
from connections c
group by c.family, c.status
order by c.family, c.status;

-- tidy (before, keep, told_before, most)

delete from codes
where key in (
    select c.key
    from codes c
    where c.created_at < :before
    limit :most
);

delete from events
where id in (
    select e.id
    from events e
    where e.at < :told_before
    limit :most
);

with crowded as materialized (
    select
        n.connection_id,
        (
            select k.id
            from attempts k
            where k.connection_id = n.connection_id
            order by k.id desc
            limit 1
            offset :keep
        ) as newest
    from (
        select a.connection_id
        from attempts a
        where a.connection_id is not null
        group by a.connection_id
        having count(*) > :keep
    ) n
)
delete from attempts
where id in (
    select a.id
    from crowded
    join attempts a on a.connection_id = crowded.connection_id
        and a.id <= crowded.newest
    where a.at < :before
    union all
    select a.id
    from attempts a
    where a.connection_id is null
        and a.at < :before
    limit :most
);

select
    changes() = :most
    or exists (
        select 1
        from codes c
        where c.created_at < :before
    )
    or exists (
        select 1
        from events e
        where e.at < :told_before
    ) as unfinished;

-- sealed (place, after, most)

select s.key, s.bond, s.sealed
from (
    select
        'connections' as place, c.id as key,
        c.user_id || '/' || c.family || '/' || c.subject as bond, c.sealed
    from connections c
    union all
    select 'user_accounts', u.id, 'user_accounts/' || u.id, u.tiktok_access_token
    from user_accounts u
    union all
    select 'codes', c.key, 'codes/' || c.key, c.sealed
    from codes c
) s
where s.place = :place
    and s.sealed is not null
    and (:after is null or s.key > :after)
order by s.key
limit :most;

-- save_resealed (place, rows)

update connections as c
set sealed = r.value ->> 'new'
from json_each(:rows) r
where :place = 'connections'
    and c.id = r.value ->> 'key'
    and c.sealed = r.value ->> 'old';

update user_accounts as u
set tiktok_access_token = r.value ->> 'new'
from json_each(:rows) r
where :place = 'user_accounts'
    and u.id = r.value ->> 'key'
    and u.tiktok_access_token = r.value ->> 'old';

update codes as c
set sealed = r.value ->> 'new'
from json_each(:rows) r
where :place = 'codes'
    and c.key = r.value ->> 'key'
    and c.sealed = r.value ->> 'old';

select r.value ->> 'key' as key
from json_each(:rows) r;
