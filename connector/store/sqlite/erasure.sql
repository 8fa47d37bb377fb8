-- Deletes everything about one person. The rules for these files are in schema.sql.

-- erase_user (user_id)

delete from attempts
where connection_id in (
    select c.id
    from connections c
    where c.user_id = :user_id
);

delete from deliveries
where event_position in (
    select e.position
    from events e
    where e.user_id = :user_id
        or e.tiktok_user_id in (
            select c.tiktok_user_id
            from connections c
            where c.user_id = :user_id
        )
);

delete from events
where user_id = :user_id
    or tiktok_user_id in (
        select c.tiktok_user_id
        from connections c
        where c.user_id = :user_id
    );

delete from webhooks
where tiktok_user_id in (
    select c.tiktok_user_id
    from connections c
    where c.user_id = :user_id
);

delete from codes
where user_id = :user_id;

update user_accounts
set
    tiktok_access_token = null,
    tiktok_account_id = null,
    tiktok_business_id = null
where id = :user_id;

update audit
set
    user_id = 'erased',
    connection_id = case when connection_id is null then null else 'erased' end,
    peer = case when actor in ('user', 'person') then null else peer end
where user_id = :user_id;

delete from connections
where user_id = :user_id
returning id;
