-- TikTok's webhooks and their effects. The rules for these files are in access.sql.

drop function if exists
    public.connector_receive_webhook,
    public.connector_list_webhooks,
    public.connector_list_webhook_apps;

-- Stores a webhook once, with its event and its effect:
--
-- - `authorization.removed` with a reason from 0 to 4 ends the connections of the TikTok user. The version increases,
--   so that a running refresh can no longer save its tokens.
-- - With another reason, or if the connection is newer than the webhook, the tokens are checked at once. The webhook may
--   be the echo of our own revocation, or be about an earlier connection. A connection that is leased is being
--   checked already.
-- - Other webhooks are only passed on.
create function public.connector_receive_webhook(
    p_digest text, p_app text, p_families text[], p_tiktok_user_id text, p_event text,
    p_reason integer, p_message text, p_created_at timestamptz, p_content jsonb, p_unreadable boolean,
    p_now timestamptz
)
returns table (outcome text)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_tiktok_user_id text;
    v_outcome text := case when p_unreadable then 'unreadable' else 'stored' end;
    v_user_accounts jsonb;
    v_ended bigint;
    v_checked bigint;
begin
    perform connector.require_service_role();
    -- After a person is erased, TikTok reports the end of the authorization. The person's id is not stored again.
    if p_event <> 'authorization.removed' or exists (
        select
        from connector.connections c
        where c.tiktok_user_id = p_tiktok_user_id
    ) then
        v_tiktok_user_id := p_tiktok_user_id;
    end if;
    -- An equal webhook in another transaction waits here until this one has committed.
    insert into connector.webhooks (
        digest, app, tiktok_user_id, event, content, outcome, created_at, received_at
    )
    values (
        p_digest, p_app, v_tiktok_user_id, p_event, p_content, v_outcome, p_created_at, v_now
    )
    on conflict (digest) do nothing;
    if not found then
        return query
        select 'duplicate';
        return;
    end if;
    if p_event = 'authorization.removed' then
        with locked as (
            select
                c.id, c.in_user_accounts,
                coalesce(
                    p_reason between 0 and 4
                        and date_trunc('second', p_created_at) >= date_trunc('second', c.connected_at),
                    false
                ) as ends
            from connector.connections c
            where c.tiktok_user_id = p_tiktok_user_id
                and c.status in ('active', 'refresh_failing')
                and c.family || '' = any (p_families)
            order by c.id
            for update
        ),
        ended as (
            update connector.connections c
            set
                status = 'reconnect_required',
                in_user_accounts = false,
                due_at = null,
                lease_owner = null,
                token_version = c.token_version + 1,
                last_failure = jsonb_build_object(
                    'code', 'authorization_removed', 'message', p_message, 'since', v_now,
                    'count', 1, 'retry_at', null, 'reason', p_reason
                ),
                updated_at = v_now
            from locked l
            where c.id = l.id
                and l.ends
            returning c.id, c.user_id, c as connection, l.in_user_accounts as was_in_user_accounts
        ),
        inserted_events as (
            insert into connector.events (type, connection_id, user_id, data, created_at)
            select
                'connection.reconnect_required', n.id, n.user_id,
                connector.event_data(n.connection), v_now
            from ended n
            order by n.id
        ),
        checked as (
            update connector.connections c
            set
                due_at = v_now,
                lease_owner = null
            from locked l
            where c.id = l.id
                and not l.ends
                and (c.lease_owner is null or c.due_at <= v_now)
            returning c.id
        )
        select
            (
                select jsonb_agg(jsonb_build_object('user_id', n.user_id))
                from ended n
                where n.was_in_user_accounts
            ),
            (
                select count(*)
                from ended
            ),
            (
                select count(*)
                from locked l
                where not l.ends
            )
        into v_user_accounts, v_ended, v_checked;
        perform connector.write_user_accounts(v_user_accounts);
        v_outcome := case
            when v_ended > 0 then 'connection_ended'
            when v_checked > 0 then 'check_scheduled'
            else v_outcome
        end;
        update connector.webhooks w
        set outcome = v_outcome
        where w.digest = p_digest;
    end if;

    if not p_unreadable then
        insert into connector.events (type, tiktok_user_id, data, created_at)
        values (
            'tiktok.' || p_event,
            v_tiktok_user_id,
            jsonb_build_object(
                'webhook', jsonb_build_object(
                    'app', p_app, 'event', p_event, 'tiktok_user_id', v_tiktok_user_id,
                    'created_at', to_char(
                        p_created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'
                    ),
                    -- An event has at most 20 kB.
                    'content', case when octet_length(p_content::text) <= 16384 then p_content end
                )
            ),
            v_now
        );
    end if;
    -- Last, because other webhooks of the app wait for this row.
    insert into connector.webhook_apps as a (app, last_webhook_at)
    values (p_app, v_now)
    on conflict (app) do update
    set last_webhook_at = excluded.last_webhook_at;
    return query
    select v_outcome;
end
$$;

create function public.connector_list_webhooks(p_max_rows integer)
returns table (
    digest text, app text, tiktok_user_id text, event text, content jsonb, outcome text,
    created_at timestamptz, received_at timestamptz
)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    return query
    select
        w.digest, w.app, w.tiktok_user_id, w.event, w.content, w.outcome, w.created_at,
        w.received_at
    from connector.webhooks w
    order by w.received_at desc, w.digest
    limit p_max_rows;
end
$$;

create function public.connector_list_webhook_apps()
returns table (app text, last_webhook_at timestamptz)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
    perform connector.require_service_role();
    return query
    select a.app, a.last_webhook_at
    from connector.webhook_apps a
    order by a.app;
end
$$;

call connector.restrict_privileges();
notify pgrst, 'reload schema';
