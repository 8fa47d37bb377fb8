"""The service with a TikTok to try it on: the one place where the garden gate stands open.

Everything about a demo is thrown away: keys, tokens and the database live in a temporary directory
that goes with it. Nobody's credentials and nobody's TikTok are involved.
"""

from __future__ import annotations

import errno
import secrets
import socket
import sys
from argparse import Namespace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from connector.app import House
from connector.model import UserId
from connector.seal import Key
from connector.settings import Settings
from connector.simulator import App, build

from . import logs
from .once import link
from .serve import listening, run_fast, told_to_stop
from .terminal import complain, say

LOCALHOST = "127.0.0.1"
USUAL_PORT = 8080
USER = UserId("11111111-1111-4111-8111-111111111111")
DAY = timedelta(hours=24)
IMPATIENT = 2.0
"""Nobody waits for a demo to end: requests under way may be cut."""


def simulator(options: Namespace) -> int:
    logs.configure("info")
    run_fast(_simulator(options.host, options.port))
    return 0


async def _simulator(host: str, port: int) -> None:
    with told_to_stop() as stop:
        async with listening(
            build(), host, port, patience=IMPATIENT, chosen_by="--port"
        ) as addresses:
            say(f"TikTok simulator ready at {addresses[0]} (its controls: /_sim)")
            sys.stdout.flush()
            await stop.wait()


def demo(options: Namespace) -> int:
    logs.configure("warning")
    with TemporaryDirectory(prefix="connector-demo-") as directory:
        run_fast(_demo(Path(directory), options.port))
    say("The demo is over, and all it kept is gone.")
    return 0


async def _demo(directory: Path, wanted: int | None) -> None:
    port = _first_free(USUAL_PORT) if wanted is None else wanted or _any_free()
    tiktok_port = _first_free(port + 1)
    api_key, app, kit = secrets.token_urlsafe(24), _app(), _kit()
    settings = Settings.read(
        _environment(directory, port, f"http://localhost:{tiktok_port}", app, kit, api_key),
        dotenv=None,
    )
    house = House.build(settings, demo=True)
    tiktok = build(apps=[app, kit])
    with told_to_stop() as stop:
        async with (
            listening(tiktok, LOCALHOST, tiktok_port, patience=IMPATIENT),
            listening(house.application(), LOCALHOST, port, patience=IMPATIENT, chosen_by="--port"),
        ):
            if wanted is None and port != USUAL_PORT:
                complain(f"Port {USUAL_PORT} is taken, so it is {port}.")
            _welcome(house, f"http://localhost:{tiktok_port}", api_key)
            await stop.wait()


def _app() -> App:
    id = str(7_000_000_000_000_000_000 + secrets.randbelow(10**18))
    return App(id=id, secret=secrets.token_hex(20), name="The demo")


def _kit() -> App:
    return App(
        id=f"aw{secrets.token_hex(7)}",
        secret=secrets.token_hex(16),
        name="The demo",
        family="login_kit",
    )


def _environment(
    directory: Path, port: int, tiktok: str, app: App, kit: App, api_key: str
) -> dict[str, str]:
    return {
        "CONNECTOR_HOST": LOCALHOST,
        "CONNECTOR_PORT": str(port),
        "CONNECTOR_DATABASE": str(directory / "connector.db"),
        "CONNECTOR_JOURNAL": str(directory / "connector.journal"),
        "CONNECTOR_ENCRYPTION_KEYS": Key.new("demo").text(),
        "CONNECTOR_API_KEYS": api_key,
        "TIKTOK_APP_ID": app.id,
        "TIKTOK_APP_SECRET": app.secret,
        "TIKTOK_CLIENT_KEY": kit.id,
        "TIKTOK_CLIENT_SECRET": kit.secret,
        "TIKTOK_BUSINESS_API_URL": tiktok,
        "TIKTOK_OPEN_API_URL": tiktok,
        "TIKTOK_BUSINESS_CONSENT_URL": f"{tiktok}/portal/auth",
        "TIKTOK_CONSENT_URL": f"{tiktok}/v2/auth/authorize/",
    }


def _welcome(house: House, tiktok: str, api_key: str) -> None:
    from rich.console import Console
    from rich.text import Text

    base = house.settings.public_url
    lines = (
        ("Connect an account", link(house, USER, life=DAY)),
        ("See how it is doing", link(house, USER, page="/status", life=DAY)),
        ("TikTok's side of it", tiktok),
        ("As your server would", f"curl -H 'Authorization: Bearer {api_key}' {base}/connections"),
    )
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        "\n  The TikTok connector, with a TikTok of its own to try it on.\n", style="bold"
    )
    for label, what in lines:
        style = "cyan" if what.startswith("http") else ""
        console.print(Text(f"  {label:<22}", "dim"), Text(what, style), sep="")
    console.print(
        "\n  Nothing here is real, and nothing leaves this machine. The links are good for a day.\n"
        "  Ctrl-C ends it, and then all it kept is deleted.\n",
        style="dim",
    )
    sys.stdout.flush()


def _first_free(port: int) -> int:
    return next(
        (candidate for candidate in range(port, min(port + 100, 65_536)) if _is_free(candidate)),
        port,
    )


def _is_free(port: int) -> bool:
    """On both addresses that "localhost" may mean: a browser could ask for either."""
    for family, host in ((socket.AF_INET, LOCALHOST), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
    return True


def _any_free() -> int:
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        return int(probe.getsockname()[1])
