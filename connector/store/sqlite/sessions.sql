-- Sessions that were ended before they expired. The rules for these files are in schema.sql.

-- end_session (session_hash, keep_until, now)

delete from ended_sessions
where keep_until < :now;

insert into ended_sessions (session_hash, keep_until)
values (:session_hash, :keep_until)
on conflict (session_hash) do nothing
returning session_hash;

-- is_session_ended (session_hash)

select s.session_hash
from ended_sessions s
where s.session_hash = :session_hash;
