-- TikTok's webhooks and their effects. The rules for these files are in schema.sql.

-- receive_webhook (digest, app, families, tiktok_user_id, event, reason, message, created_at, content, unreadable, now)

create temp table if not exists webhook_targets (
    connection_id  text primary key,
    user_id        text not null,
    ends           integer not null,
    was_shown      integer not null
);

delete from webhook_targets;

insert into webhook_targets (connection_id, user_id, ends, was_shown)
select
    c.id, c.user_id,
    coalesce(
        :reason between 0 and 4 and substr(:created_at, 1, 19) >= substr(c.connected_at, 1, 19),
        false
    ),
    c.in_user_accounts
from connections c
where :event = 'authorization.removed'
    and c.tiktok_user_id = :tiktok_user_id
    and c.family in (
        select f.value
        from json_each(:families) f
    )
    and c.status in ('active', 'refresh_failing')
    and not exists (
        select 1
        from webhooks w
        where w.digest = :digest
    );

create temp table if not exists webhook_outcome (
    outcome         text not null,
    tiktok_user_id  text
);

delete from webhook_outcome;

insert into webhook_outcome (outcome, tiktok_user_id)
select
    case
        when exists (
            select 1
            from webhooks w
            where w.digest = :digest
        ) then 'duplicate'
        when :unreadable then 'unreadable'
        when exists (
            select 1
            from webhook_targets t
            where t.ends
        ) then 'connection_ended'
        when exists (
            select 1
            from webhook_targets t
        ) then 'check_scheduled'
        else 'stored'
    end,
    case
        when :event <> 'authorization.removed'
            or exists (
                select 1
                from connections c
                where c.tiktok_user_id = :tiktok_user_id
            ) then :tiktok_user_id
    end;

insert into webhooks (
    digest, app, tiktok_user_id, event, content, outcome, created_at, received_at
)
select :digest, :app, o.tiktok_user_id, :event, :content, o.outcome, :created_at, :now
from webhook_outcome o
where o.outcome <> 'duplicate';

insert into webhook_apps (app, last_webhook_at)
select :app, :now
from webhook_outcome o
where o.outcome <> 'duplicate'
on conflict (app) do update
set last_webhook_at = excluded.last_webhook_at;

update connections
set
    status = 'reconnect_required',
    in_user_accounts = false,
    due_at = null,
    lease_owner = null,
    token_version = token_version + 1,
    last_failure = json_object(
        'code', 'authorization_removed', 'message', :message, 'since', :now, 'count', 1,
        'retry_at', null, 'reason', :reason
    ),
    updated_at = :now
where id in (
    select t.connection_id
    from webhook_targets t
    where t.ends
);

update user_accounts
set
    tiktok_access_token = null,
    tiktok_account_id = null,
    tiktok_business_id = null
where id in (
    select t.user_id
    from webhook_targets t
    where t.ends
        and t.was_shown
);

update connections
set
    due_at = :now,
    lease_owner = null
where id in (
        select t.connection_id
        from webhook_targets t
        where not t.ends
    )
    and (lease_owner is null or due_at <= :now);

insert into events (id, type, connection_id, user_id, data, created_at)
select new_uuid(), 'connection.reconnect_required', s.connection_id, s.user_id, s.data, :now
from webhook_targets t
join event_snapshots s on s.connection_id = t.connection_id
where t.ends
order by t.connection_id;

insert into events (id, type, tiktok_user_id, data, created_at)
select
    new_uuid(), 'tiktok.' || :event, o.tiktok_user_id,
    json_object(
        'webhook', json_object(
            'app', :app, 'event', :event, 'tiktok_user_id', o.tiktok_user_id, 'created_at', :created_at,
            'content', json(
                case when length(cast(:content as blob)) <= 16384 then :content end
            )
        )
    ),
    :now
from webhook_outcome o
where o.outcome not in ('duplicate', 'unreadable');

select o.outcome
from webhook_outcome o;

-- list_webhooks (max_rows)

select
    w.digest, w.app, w.tiktok_user_id, w.event, w.content, w.outcome, w.created_at, w.received_at
from webhooks w
order by w.received_at desc, w.digest
limit :max_rows;

-- list_webhook_apps ()

select a.app, a.last_webhook_at
from webhook_apps a
order by a.app;
