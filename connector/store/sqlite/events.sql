-- The tables of events, deliveries and webhooks, and the operations on events. The rules for these files are in schema.sql.

-- event_tables ()

create table if not exists events (
    position        integer primary key autoincrement,
    id              text not null,
    seq             integer unique,
    type            text not null,
    connection_id   text,
    user_id         text,
    tiktok_user_id  text,
    data            text not null,
    created_at      text not null
);

create index if not exists events_without_number
    on events (position)
    where seq is null;

create table if not exists event_numbers (
    id             integer primary key,
    last_seq       integer not null,
    deleted_until  integer not null
);

insert into event_numbers (id, last_seq, deleted_until)
values (1, 0, 0)
on conflict (id) do nothing;

create table if not exists endpoints (
    id                 text primary key,
    url                text not null,
    events             text not null,
    description        text not null,
    encrypted_secrets  text not null,
    state              text not null check (state in ('enabled', 'disabled')),
    disabled_reason    text,
    failing_since      text,
    failures           integer not null default 0,
    last_success_at    text,
    created_at         text not null,
    updated_at         text not null
);

create table if not exists deliveries (
    id              integer primary key autoincrement,
    event_position  integer not null,
    endpoint_id     text not null,
    state           text not null check (state in ('pending', 'delivered', 'exhausted', 'dropped')),
    attempts        integer not null default 0,
    due_at          text,
    lease_owner     text,
    last_status     integer,
    last_error      text,
    last_at         text,
    last_ms         integer,
    delivered_at    text,
    unique (event_position, endpoint_id)
);

create index if not exists deliveries_due
    on deliveries (endpoint_id, due_at)
    where state = 'pending';

create index if not exists deliveries_leased
    on deliveries (endpoint_id)
    where lease_owner is not null;

create index if not exists deliveries_of_endpoint
    on deliveries (endpoint_id, id desc);

create table if not exists delivery_counts (
    endpoint_id  text not null,
    hour         text not null,
    delivered    integer not null,
    failed       integer not null,
    primary key (endpoint_id, hour)
);

create table if not exists webhooks (
    digest          text primary key,
    app             text not null,
    tiktok_user_id  text,
    event           text not null,
    content         text not null,
    outcome         text not null,
    created_at      text,
    received_at     text not null
);

create index if not exists webhooks_received
    on webhooks (received_at);

create table if not exists webhook_apps (
    app              text primary key,
    last_webhook_at  text not null
);

create view if not exists event_snapshots as
select
    c.id as connection_id, c.user_id,
    json_object(
        'connection', json_object(
            'id', c.id,
            'user_id', c.user_id,
            'family', c.family,
            'tiktok_user_id', c.tiktok_user_id,
            'status', c.status,
            'account', json(
                case when c.profile is not null
                    then json_object(
                        'id', c.profile ->> 'id', 'name', substr(c.profile ->> 'name', 1, 200)
                    )
                end
            ),
            'advertiser', json(
                case when c.selected_advertiser is not null
                    then json_object(
                        'id', c.selected_advertiser ->> 'id',
                        'name', substr(c.selected_advertiser ->> 'name', 1, 200)
                    )
                end
            ),
            'advertiser_lost', json(case when c.advertiser_lost then 'true' else 'false' end)
        ),
        'reason', json(
            case when c.status in ('refresh_failing', 'reconnect_required')
                and c.last_failure is not null
                then json_object(
                    'code', c.last_failure ->> 'code',
                    'message', substr(c.last_failure ->> 'message', 1, 500)
                )
            end
        )
    ) as data
from connections c;

-- number_events (max_rows, now)

create temp table if not exists numbered_events (
    position  integer primary key,
    seq       integer not null
);

delete from numbered_events;

insert into numbered_events (position, seq)
select e.position, n.last_seq + row_number() over (order by e.position)
from (
    select w.position
    from events w
    where w.seq is null
    order by w.position
    limit :max_rows
) e
cross join event_numbers n;

update events as e
set seq = n.seq
from numbered_events n
where e.position = n.position
    and e.position in (
        select w.position
        from numbered_events w
    );

insert into deliveries (event_position, endpoint_id, state, due_at)
select n.position, p.id, 'pending', :now
from numbered_events n
cross join events e on e.position = n.position
join endpoints p on p.state = 'enabled'
where exists (
    select 1
    from json_each(p.events) m
    where e.type = m.value
        or (
            substr(m.value, -2) = '.*'
            and substr(e.type, 1, length(m.value) - 1) = substr(m.value, 1, length(m.value) - 1)
        )
)
order by n.seq;

update event_numbers
set last_seq = (
    select max(n.seq)
    from numbered_events n
)
where exists (
    select 1
    from numbered_events n
);

select
    (
        select count(*)
        from numbered_events
    ) as numbered,
    exists (
        select 1
        from events w
        where w.seq is null
    ) as more_left,
    n.last_seq,
    exists (
        select 1
        from endpoints p
        cross join deliveries d on d.endpoint_id = p.id
        where p.state = 'enabled'
            and d.state = 'pending'
            and d.due_at <= :now
    ) as deliveries_due
from event_numbers n;

-- get_event_bounds ()

select n.deleted_until + 1 as oldest, n.last_seq as last
from event_numbers n;

-- skip_event_numbers (count)

update event_numbers
set
    last_seq = last_seq + :count,
    deleted_until = last_seq + :count;

select n.deleted_until + 1 as oldest, n.last_seq as last
from event_numbers n;

-- list_events (after, until, patterns, connection_id, max_rows)

select e.id, e.seq, e.type, e.connection_id, e.user_id, e.data, e.created_at
from events e
where e.seq > :after
    and e.seq <= :until
    and (:connection_id is null or e.connection_id = :connection_id)
    and (
        :patterns is null
        or exists (
            select 1
            from json_each(:patterns) m
            where e.type = m.value
                or (
                    substr(m.value, -2) = '.*'
                    and substr(e.type, 1, length(m.value) - 1)
                        = substr(m.value, 1, length(m.value) - 1)
                )
        )
    )
order by e.seq
limit :max_rows;
