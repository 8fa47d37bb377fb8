-- The operations, one function each. Run after 001_tables.sql; running it again replaces them.
--
-- The same names and arguments stand in connector/store/__init__.py and connector/store/sqlite.sql (there
-- without the prefixes). One call is one transaction, so a change and the event that tells of it are one
-- operation. `p_now` is an argument: no function asks the time. Nobody but service_role may call them.

begin;

-- What changes the shape of a row goes with a new number here; the service refuses a database it does not fit.
delete from connector.schema;
insert into connector.schema (version) values (2);

-- What is shown and what is secret never travel together: `shown` has no token, `kept` no more than it needs.
create or replace view connector.shown as
select
    c.id, c.user_id, c.family, c.subject, c.status, c.scopes, c.chosen, c.advertiser_lost,
    c.expires_at, c.refresh_expires_at, c.verified_at, c.failure, c.due_at,
    c.connected_at, c.created_at, c.updated_at, c.version
from connector.connections c;

create or replace view connector.kept as
select
    c.id, c.user_id, c.family, c.subject, c.status, c.scopes, c.sealed,
    c.expires_at, c.refresh_expires_at, c.failure, c.connected_at, c.version
from connector.connections c;

-- What has an index must not be looked for in the whole table. Postgres would: plans made while the tables were small
-- outlive that, and it takes a list that comes as JSON for a hundred rows. Hence `enable_seqscan = off` and
-- `= any (array (…))` below.

-- Parts the operations share.

create or replace function connector.add_event(
    p_kind text, p_connection_id uuid, p_user_id uuid, p_detail jsonb, p_now timestamptz
) returns void
language plpgsql
set search_path = ''
as $$
begin
    insert into connector.events (at, kind, connection_id, user_id, detail)
    values (p_now, p_kind, p_connection_id, p_user_id, p_detail);
end
$$;

create or replace function connector.add_attempt(p_connection_id uuid, p_attempt jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
    insert into connector.attempts (
        connection_id, at, what, who, verdict, code, message, request_id, took_ms
    )
    select
        p_connection_id, a.at, a.what, a.who, a.verdict, a.code, a.message, a.request_id, a.took_ms
    from jsonb_to_record(p_attempt) as a (
        at timestamptz, what text, who text, verdict text, code text, message text,
        request_id text, took_ms integer
    )
    where a.at is not null;
end
$$;

-- Updated first and inserted only if missing: an upsert would trip over not-null columns of the customer's
-- own even where the row is there.
create or replace function connector.write_account(p_user_id uuid, p_chosen jsonb, p_token text)
returns void
language plpgsql
set search_path = ''
as $$
begin
    update public.user_accounts
    set
        tiktok_access_token = p_token,
        tiktok_account_id = p_chosen ->> 'name',
        tiktok_business_id = p_chosen ->> 'id'
    where id = p_user_id;
    if not found then
        insert into public.user_accounts (
            id, tiktok_access_token, tiktok_account_id, tiktok_business_id
        )
        values (p_user_id, p_token, p_chosen ->> 'name', p_chosen ->> 'id')
        on conflict (id) do update
        set
            tiktok_access_token = excluded.tiktok_access_token,
            tiktok_account_id = excluded.tiktok_account_id,
            tiktok_business_id = excluded.tiktok_business_id;
    end if;
end
$$;

-- The operations.

create or replace function public.connector_ready()
returns table (version integer)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
    return query
    select s.version
    from connector.schema s;
end
$$;

-- Many at once, like saving below. Of a code that another replica claims at this very moment neither the claim
-- nor an answer is told: whoever waits for it asks again.
create or replace function public.connector_claim_codes(p_claims jsonb)
returns table (key text, mine boolean, sealed text, answer jsonb, known jsonb, earlier text)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    with wanted as (
        select w.*
        from jsonb_to_recordset(p_claims) as w (
            key text, user_id uuid, family text, holder text, at timestamptz, until timestamptz
        )
    ),
    claimed as (
        insert into connector.codes as c (key, user_id, family, holder, held_until, created_at)
        select w.key, w.user_id, w.family, w.holder, w.until, w.at
        from wanted w
        on conflict (key) do update
        set
            holder = excluded.holder,
            held_until = excluded.held_until
        where c.answer is null
            and c.held_until <= excluded.created_at
        returning c.key, c.sealed
    )
    select
        w.key,
        c.key is not null,
        c.sealed,
        (
            select s.answer
            from connector.codes s
            where s.key = w.key
                and c.key is null
        ),
        (
            select coalesce(
                jsonb_agg(jsonb_build_object('id', k.id, 'subject', k.subject, 'chosen', k.chosen)),
                '[]'
            )
            from connector.connections k
            where k.user_id = w.user_id
                and k.family = w.family
                and c.key is not null
        ),
        (
            select u.tiktok_business_id
            from public.user_accounts u
            where u.id = w.user_id
                and c.key is not null
        )
    from wanted w
    left join claimed c on c.key = w.key;
end
$$;

create or replace function public.connector_settle_code(
    p_key text, p_holder text, p_sealed text, p_answer jsonb, p_attempt jsonb, p_now timestamptz
)
returns table (key text)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    perform connector.add_attempt(null, p_attempt);
    return query
    update connector.codes c
    set
        -- A grant that waits here goes only when there is an answer: giving a claim back does not lose it.
        sealed = case when p_answer is null then coalesce(p_sealed, c.sealed) end,
        answer = p_answer,
        held_until = p_now
    where c.key = p_key
        and c.holder = p_holder
        and c.answer is null
    returning c.key;
end
$$;

create or replace function public.connector_restore_code(
    p_key text, p_user_id uuid, p_family text, p_holder text, p_sealed text,
    p_now timestamptz, p_until timestamptz
)
returns table (known jsonb, earlier text)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    insert into connector.codes as c (key, user_id, family, holder, held_until, sealed, created_at)
    values (p_key, p_user_id, p_family, p_holder, p_until, p_sealed, p_now)
    on conflict (key) do update
    set
        holder = excluded.holder,
        held_until = excluded.held_until,
        sealed = excluded.sealed,
        answer = null
    where c.answer is null
        or c.answer ->> 'connection_id' is null
    returning
        (
            select coalesce(
                jsonb_agg(jsonb_build_object('id', k.id, 'subject', k.subject, 'chosen', k.chosen)),
                '[]'
            )
            from connector.connections k
            where k.user_id = p_user_id
                and k.family = p_family
        ),
        (
            select u.tiktok_business_id
            from public.user_accounts u
            where u.id = p_user_id
        );
end
$$;

-- Many at once, each of another person. Should one be in the way of all, for a rule of the customer's own table or
-- for a row that somebody holds there, the call is undone, and then each of them comes alone.
create or replace function public.connector_save_connections(p_connections jsonb)
returns table (key text, answer jsonb)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
set lock_timeout = '2s'
as $$
#variable_conflict use_column
begin
    return query
    with given as (
        select g.*
        from jsonb_to_recordset(p_connections) as g (
            key text, id uuid, user_id uuid, family text, subject text, scopes jsonb, accounts jsonb,
            chosen jsonb, sealed text, expires_at timestamptz, refresh_expires_at timestamptz,
            due_at timestamptz, account_token text, answer jsonb, attempt jsonb, at timestamptz
        )
    ),
    saved as (
        insert into connector.connections as c (
            id, user_id, family, subject, status, scopes, accounts, chosen, advertiser_lost, sealed,
            expires_at, refresh_expires_at, verified_at, due_at, version, connected_at, created_at,
            updated_at
        )
        select
            g.id, g.user_id, g.family, g.subject, 'active', g.scopes, g.accounts,
            nullif(g.chosen, 'null'), false, g.sealed, g.expires_at, g.refresh_expires_at, g.at,
            g.due_at, 1, g.at, g.at, g.at
        from given g
        on conflict (user_id, family, subject) do update
        set
            status = 'active',
            scopes = excluded.scopes,
            accounts = excluded.accounts,
            -- Until the person picks again, user_accounts still shows the earlier one.
            chosen = coalesce(excluded.chosen, c.chosen),
            advertiser_lost = excluded.chosen is null
                and c.chosen is not null
                and not excluded.accounts @> jsonb_build_array(
                    jsonb_build_object('id', c.chosen ->> 'id')
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
            updated_at = excluded.updated_at
        returning c.id, c.user_id, c.version
    ),
    picked as (
        select g.*
        from given g
        where g.family = 'marketing'
            and g.chosen <> 'null'
    ),
    -- Updated first, as in write_account.
    updated as (
        update public.user_accounts u
        set
            tiktok_access_token = p.account_token,
            tiktok_account_id = p.chosen ->> 'name',
            tiktok_business_id = p.chosen ->> 'id'
        from picked p
        where u.id = p.user_id
        returning u.id
    ),
    inserted as (
        insert into public.user_accounts (
            id, tiktok_access_token, tiktok_account_id, tiktok_business_id
        )
        select p.user_id, p.account_token, p.chosen ->> 'name', p.chosen ->> 'id'
        from picked p
        where p.user_id not in (select u.id from updated u)
        on conflict (id) do update
        set
            tiktok_access_token = excluded.tiktok_access_token,
            tiktok_account_id = excluded.tiktok_account_id,
            tiktok_business_id = excluded.tiktok_business_id
    ),
    told as (
        insert into connector.events (at, kind, connection_id, user_id, detail)
        select
            g.at, case s.version when 1 then 'connected' else 'reconnected' end, s.id, s.user_id,
            jsonb_build_object('family', g.family, 'chosen', g.chosen)
        from given g
        join saved s on s.user_id = g.user_id
    ),
    logged as (
        insert into connector.attempts (
            connection_id, at, what, who, verdict, code, message, request_id, took_ms
        )
        select
            s.id, a.at, a.what, a.who, a.verdict, a.code, a.message, a.request_id, a.took_ms
        from given g
        join saved s on s.user_id = g.user_id
        cross join lateral jsonb_to_record(g.attempt) as a (
            at timestamptz, what text, who text, verdict text, code text, message text,
            request_id text, took_ms integer
        )
    ),
    -- In the order in which they are claimed: another replica's claims would else wait for us, and we for them.
    locked as (
        select l.key
        from connector.codes l
        where l.key = any (array (select w.key from given w))
        order by l.key collate "C"
        for update
    )
    update connector.codes c
    set
        sealed = null,
        answer = g.answer || jsonb_build_object('connection_id', s.id),
        held_until = g.at
    from locked l
    join given g on g.key = l.key
    join saved s on s.user_id = g.user_id
    where c.key = l.key
        and c.key = any (array (select w.key from given w))
    returning c.key, c.answer;
end
$$;

create or replace function public.connector_choose(
    p_id uuid, p_chosen jsonb, p_account_token text, p_now timestamptz
)
returns table (id uuid)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid;
begin
    update connector.connections c
    set
        chosen = p_chosen,
        advertiser_lost = false,
        updated_at = p_now
    where c.id = p_id
        and c.status <> 'revoked'
    returning c.user_id
    into v_user_id;
    if not found then
        return;
    end if;
    perform connector.write_account(v_user_id, p_chosen, p_account_token);
    perform connector.add_event(
        'chosen', p_id, v_user_id, jsonb_build_object('chosen', p_chosen), p_now
    );
    return query
    select p_id;
end
$$;

create or replace function public.connector_connection(p_id uuid)
returns table (
    id uuid, user_id uuid, family text, subject text, status text, scopes jsonb, accounts jsonb,
    chosen jsonb, advertiser_lost boolean, expires_at timestamptz, refresh_expires_at timestamptz,
    verified_at timestamptz, failure jsonb, due_at timestamptz, connected_at timestamptz,
    created_at timestamptz, updated_at timestamptz, version integer
)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    select
        c.id, c.user_id, c.family, c.subject, c.status, c.scopes, c.accounts,
        c.chosen, c.advertiser_lost, c.expires_at, c.refresh_expires_at,
        c.verified_at, c.failure, c.due_at, c.connected_at,
        c.created_at, c.updated_at, c.version
    from connector.connections c
    where c.id = p_id;
end
$$;

create or replace function public.connector_connections(
    p_user_id uuid, p_family text, p_after uuid, p_most integer
)
returns setof connector.shown
language plpgsql security definer
set search_path = ''
as $$
begin
    return query
    select s.*
    from connector.shown s
    where (p_user_id is null or s.user_id = p_user_id)
        and (p_family is null or s.family = p_family)
        and (p_after is null or s.id > p_after)
    order by s.id
    limit p_most;
end
$$;

create or replace function public.connector_read_tokens(p_ids uuid[])
returns setof connector.kept
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
begin
    return query
    select k.*
    from connector.kept k
    where k.id = any (p_ids);
end
$$;

create or replace function public.connector_find_token(p_user_id uuid, p_family text)
returns setof connector.kept
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
begin
    return query
    select k.*
    from connector.kept k
    where k.user_id = p_user_id
        and k.family = p_family
    order by k.status in ('active', 'refresh_failing') desc, k.connected_at desc, k.id
    limit 1;
end
$$;

create or replace function public.connector_claim_refresh(
    p_id uuid, p_version integer, p_holder text, p_now timestamptz, p_until timestamptz
)
returns setof connector.kept
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
begin
    update connector.connections c
    set
        holder = p_holder,
        due_at = p_until
    where c.id = p_id
        and c.version = p_version
        and c.sealed is not null
        and c.status <> 'reconnect_required'
        and (c.holder is null or c.due_at <= p_now);
    if not found then
        return;
    end if;
    return query
    select k.*
    from connector.kept k
    where k.id = p_id;
end
$$;

create or replace function public.connector_claim_due(
    p_holder text, p_most integer, p_now timestamptz, p_until timestamptz
)
returns setof connector.kept
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
begin
    return query
    with due as (
        select d.id
        from connector.connections d
        where d.due_at <= p_now
        order by d.due_at
        limit p_most
        for update skip locked
    )
    update connector.connections c
    set
        holder = p_holder,
        due_at = p_until
    from due
    where c.id = due.id
    returning
        c.id, c.user_id, c.family, c.subject, c.status, c.scopes, c.sealed,
        c.expires_at, c.refresh_expires_at, c.failure, c.connected_at, c.version;
end
$$;

-- What these held is due now. Their leases end no later than `p_until`, where the index on due_at finds them
-- among any number of rows; what somebody is writing at this moment keeps its own.
create or replace function public.connector_release(
    p_holders jsonb, p_now timestamptz, p_until timestamptz
)
returns table (id uuid)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    with held as (
        select d.id
        from connector.connections d
        where d.due_at > p_now
            and d.due_at <= p_until
            and p_holders ? d.holder
        for update skip locked
    )
    update connector.connections c
    set
        holder = null,
        due_at = p_now
    from held
    where c.id = held.id
    returning c.id;
end
$$;

-- What flights brought home, many at once. A write is refused when the tokens it started from are no longer
-- the ones kept; one that brings no new tokens is refused also when the lease has passed to somebody else. New
-- tokens from a late holder are welcome as long as nobody wrote newer ones: they may be the only live pair.
create or replace function public.connector_save_outcomes(p_outcomes jsonb, p_now timestamptz)
returns table (id uuid, version integer)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    with outcome as (
        select o.*
        from jsonb_to_recordset(p_outcomes) as o (
            id uuid, version integer, holder text, status text, sealed text,
            expires_at timestamptz, refresh_expires_at timestamptz, verified_at timestamptz,
            failure jsonb, due_at timestamptz, accounts jsonb, forget boolean,
            event text, attempt jsonb
        )
    ),
    saved as (
        update connector.connections c
        set
            status = case when c.status = 'revoked' then 'revoked' else o.status end,
            sealed = case when o.forget then null else coalesce(o.sealed, c.sealed) end,
            expires_at = case when o.sealed is null then c.expires_at else o.expires_at end,
            refresh_expires_at =
                case when o.sealed is null then c.refresh_expires_at else o.refresh_expires_at end,
            verified_at = coalesce(o.verified_at, c.verified_at),
            failure = nullif(o.failure, 'null'),
            due_at = case
                when c.status = 'revoked' and o.status <> 'revoked' then p_now
                else o.due_at
            end,
            accounts = coalesce(nullif(o.accounts, 'null'), c.accounts),
            advertiser_lost = case
                when coalesce(o.accounts, 'null') = 'null' then c.advertiser_lost
                else c.chosen is not null
                    and not o.accounts @> jsonb_build_array(
                        jsonb_build_object('id', c.chosen ->> 'id')
                    )
            end,
            holder = null,
            version = c.version + case when o.sealed is null then 0 else 1 end,
            updated_at = p_now
        from outcome o
        where c.id = o.id
            and c.id = any (array (select w.id from outcome w))
            and c.version = o.version
            and (c.holder = o.holder or o.sealed is not null)
        returning
            c.id, c.user_id, c.status, c.version, c.chosen, c.advertiser_lost, o.event, o.attempt
    ),
    told as (
        insert into connector.events (at, kind, connection_id, user_id, detail)
        select p_now, coalesce(s.event, 'recovered'), s.id, s.user_id, '{}'::jsonb
        from saved s
        -- As it was before: one statement sees the rows as they stood when it began.
        join connector.connections c on c.id = s.id
        -- Somebody was told that it had ended, before the late holder of its newest tokens came home.
        where s.event is not null
            or (c.status = 'reconnect_required' and s.status = 'active')
        union all
        select
            p_now, 'advertiser_lost', s.id, s.user_id, jsonb_build_object('chosen', s.chosen)
        from saved s
        join connector.connections c on c.id = s.id
        where s.advertiser_lost
            and not c.advertiser_lost
    ),
    logged as (
        insert into connector.attempts (
            connection_id, at, what, who, verdict, code, message, request_id, took_ms
        )
        select
            o.id, a.at, a.what, a.who,
            case when s.id is null then 'superseded' else a.verdict end,
            a.code, a.message, a.request_id, a.took_ms
        from outcome o
        left join saved s on s.id = o.id
        cross join lateral jsonb_to_record(o.attempt) as a (
            at timestamptz, what text, who text, verdict text, code text, message text,
            request_id text, took_ms integer
        )
        where a.at is not null
    )
    select s.id, s.version
    from saved s;
end
$$;

create or replace function public.connector_begin_revoke(p_id uuid, p_now timestamptz)
returns setof connector.kept
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
declare
    v_user_id uuid;
    v_family text;
    v_chosen jsonb;
begin
    update connector.connections c
    set
        status = 'revoked',
        -- While a refresh is in flight its lease stands: the revocation waits for the newest token.
        due_at = case when c.holder is not null and c.due_at > p_now then c.due_at else p_now end,
        failure = null,
        updated_at = p_now
    where c.id = p_id
        and c.status <> 'revoked'
    returning c.user_id, c.family, c.chosen
    into v_user_id, v_family, v_chosen;
    if found then
        update public.user_accounts u
        set
            tiktok_access_token = null,
            tiktok_account_id = null,
            tiktok_business_id = null
        where u.id = v_user_id
            and v_family = 'marketing'
            and v_chosen is not null
            -- Once it has written there, only another's advertiser shows that the token is not its own.
            and (
                u.tiktok_business_id = v_chosen ->> 'id'
                or not exists (
                    select
                    from connector.connections o
                    where o.user_id = v_user_id
                        and o.family = 'marketing'
                        and o.status <> 'revoked'
                        and o.chosen ->> 'id' = u.tiktok_business_id
                )
            );
        perform connector.add_event('disconnected', p_id, v_user_id, '{}', p_now);
    end if;
    return query
    select k.*
    from connector.kept k
    where k.id = p_id;
end
$$;

create or replace function public.connector_attempts(p_id uuid, p_most integer)
returns table (
    at timestamptz, what text, who text, verdict text, code text, message text, request_id text,
    took_ms integer
)
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    select a.at, a.what, a.who, a.verdict, a.code, a.message, a.request_id, a.took_ms
    from connector.attempts a
    where a.connection_id = p_id
    order by a.id desc
    limit p_most;
end
$$;

create or replace function public.connector_pulse(p_user_id uuid, p_since timestamptz)
returns table (hour integer, what text, verdict text, times bigint)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
    return query
    select
        floor(extract(epoch from a.at - p_since) / 3600)::integer as hour, a.what, a.verdict, count(*)
    from connector.attempts a
    where a.at >= p_since
        and (
            p_user_id is null
            or a.connection_id in (
                select c.id
                from connector.connections c
                where c.user_id = p_user_id
            )
        )
    group by 1, 2, 3
    order by 1, 2, 3;
end
$$;

create or replace function public.connector_census()
returns table (family text, status text, times bigint)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
    return query
    select c.family, c.status, count(*)
    from connector.connections c
    group by c.family, c.status
    order by c.family, c.status;
end
$$;

-- So many of each at a time: one call must end long before PostgREST's statement limit.
create or replace function public.connector_tidy(
    p_before timestamptz, p_keep integer, p_told_before timestamptz, p_most integer
)
returns table (unfinished boolean)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
    v_attempts bigint;
begin
    delete from connector.codes
    where key in (
        select c.key
        from connector.codes c
        where c.created_at < p_before
        limit p_most
    );

    delete from connector.events
    where id in (
        select e.id
        from connector.events e
        where e.at < p_told_before
        limit p_most
    );

    with crowded as (
        select a.connection_id
        from connector.attempts a
        where a.connection_id is not null
        group by a.connection_id
        having count(*) > p_keep
    ),
    surplus as (
        select o.id
        from crowded
        cross join lateral (
            select a.id, a.at
            from connector.attempts a
            where a.connection_id = crowded.connection_id
            order by a.id desc
            offset p_keep
        ) o
        where o.at < p_before
        union all
        select a.id
        from connector.attempts a
        where a.connection_id is null
            and a.at < p_before
        limit p_most
    )
    delete from connector.attempts
    where id in (
        select s.id
        from surplus s
    );
    get diagnostics v_attempts = row_count;

    return query
    select
        v_attempts = p_most
        or exists (
            select 1
            from connector.codes c
            where c.created_at < p_before
        )
        or exists (
            select 1
            from connector.events e
            where e.at < p_told_before
        );
end
$$;

create or replace function public.connector_sealed(p_place text, p_after text, p_most integer)
returns table (key text, bond text, sealed text)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
    if p_place = 'connections' then
        return query
        select c.id::text, c.user_id || '/' || c.family || '/' || c.subject, c.sealed
        from connector.connections c
        where c.sealed is not null
            and (p_after is null or c.id > p_after::uuid)
        order by c.id
        limit p_most;
    elsif p_place = 'user_accounts' then
        return query
        select u.id::text, 'user_accounts/' || u.id, u.tiktok_access_token
        from public.user_accounts u
        where u.tiktok_access_token is not null
            and (p_after is null or u.id > p_after::uuid)
        order by u.id
        limit p_most;
    else
        return query
        select c.key, 'codes/' || c.key, c.sealed
        from connector.codes c
        where c.sealed is not null
            and (p_after is null or c.key > p_after)
        order by c.key
        limit p_most;
    end if;
end
$$;

create or replace function public.connector_save_resealed(p_place text, p_rows jsonb)
returns table (key text)
language plpgsql security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
    if p_place = 'connections' then
        return query
        update connector.connections c
        set sealed = r.new
        from jsonb_to_recordset(p_rows) as r (key uuid, old text, new text)
        where c.id = r.key
            and c.sealed = r.old
        returning c.id::text;
    elsif p_place = 'user_accounts' then
        return query
        update public.user_accounts u
        set tiktok_access_token = r.new
        from jsonb_to_recordset(p_rows) as r (key uuid, old text, new text)
        where u.id = r.key
            and u.tiktok_access_token = r.old
        returning u.id::text;
    else
        return query
        update connector.codes c
        set sealed = r.new
        from jsonb_to_recordset(p_rows) as r (key text, old text, new text)
        where c.key = r.key
            and c.sealed = r.old
        returning c.key;
    end if;
end
$$;

-- Closed by default: whatever is called connector_* or stands in our schema is for service_role alone.
revoke all on connector.shown, connector.kept from public, anon, authenticated;

do $$
declare
    operation regprocedure;
begin
    for operation in
        select p.oid::regprocedure
        from pg_catalog.pg_proc p
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'connector'
            or (n.nspname = 'public' and p.proname like 'connector\_%')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', operation);
    end loop;
    for operation in
        select p.oid::regprocedure
        from pg_catalog.pg_proc p
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'public'
            and p.proname like 'connector\_%'
    loop
        execute format('grant execute on function %s to service_role', operation);
    end loop;
end
$$;

notify pgrst, 'reload schema';

commit;
