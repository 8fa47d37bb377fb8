"""`connector demo`: the service with a TikTok simulator, for trying it out without credentials.

All data is temporary: keys, tokens and the database are in a temporary folder that is deleted at the
end. Only this command runs the service with `demo=True`.
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

from connector.app import Service
from connector.encryption import EncryptionKey
from connector.model import UserId
from connector.settings import Settings
from connector.webhooks import WEBHOOK_PATH
from tiktok_simulator import App, build_simulator

from . import logging_setup
from .connect_commands import create_link
from .http_server import run_with_uvloop, serve_connector, serve_http, stop_signal
from .simulator import SHUTDOWN_GRACE_SECONDS
from .terminal import print_error, print_result

LOCALHOST = "127.0.0.1"
DEFAULT_PORT = 8080
DEMO_USER = UserId("11111111-1111-4111-8111-111111111111")
DEMO_NAME = "Demo user"
LINK_LIFETIME = timedelta(hours=24)


def demo(options: Namespace) -> int:
    logging_setup.configure("warning")
    with TemporaryDirectory(prefix="connector-demo-") as directory:
        run_with_uvloop(_serve_demo(Path(directory), options.port))
    print_result("The demo has ended and all of its data is deleted.")
    return 0


async def _serve_demo(directory: Path, requested_port: int | None) -> None:
    port = _choose_port(requested_port)
    simulator_port = _first_free_port(port + 1)
    simulator_url = f"http://localhost:{simulator_port}"
    api_key, webhook_url = secrets.token_urlsafe(24), f"http://localhost:{port}{WEBHOOK_PATH}"
    apps = (_business_app(webhook_url), _login_kit_app(webhook_url))
    environment = _demo_environment(directory, port, simulator_url, apps=apps, api_key=api_key)
    service = Service.build(Settings.read(environment, dotenv=None), demo=True)
    with stop_signal() as stop:
        async with (
            serve_http(
                build_simulator(apps=apps),
                LOCALHOST,
                simulator_port,
                shutdown_grace=SHUTDOWN_GRACE_SECONDS,
            ),
            serve_connector(
                service.web_application(),
                LOCALHOST,
                port,
                shutdown_grace=SHUTDOWN_GRACE_SECONDS,
                port_setting="--port",
            ),
        ):
            if requested_port is None and port != DEFAULT_PORT:
                print_error(f"Port {DEFAULT_PORT} is in use, so the demo runs on port {port}.")
            _print_welcome(service, simulator_url, api_key)
            await stop.wait()


def _business_app(webhook_url: str) -> App:
    id = str(7_000_000_000_000_000_000 + secrets.randbelow(10**18))
    return App(id=id, secret=secrets.token_hex(20), name="The demo", webhook_url=webhook_url)


def _login_kit_app(webhook_url: str) -> App:
    return App(
        id=f"aw{secrets.token_hex(7)}",
        secret=secrets.token_hex(16),
        name="The demo",
        family="login_kit",
        webhook_url=webhook_url,
    )


def _demo_environment(
    directory: Path, port: int, simulator_url: str, *, apps: tuple[App, App], api_key: str
) -> dict[str, str]:
    business_app, login_kit_app = apps
    return {
        "CONNECTOR_HOST": LOCALHOST,
        "CONNECTOR_PORT": str(port),
        "CONNECTOR_DATABASE": str(directory / "connector.db"),
        "CONNECTOR_JOURNAL": str(directory / "connector.journal"),
        "CONNECTOR_ENCRYPTION_KEYS": EncryptionKey.generate("demo").format(),
        "CONNECTOR_API_KEYS": f"demo:read+write+tokens+metrics:{api_key}",
        "TIKTOK_APP_ID": business_app.id,
        "TIKTOK_APP_SECRET": business_app.secret,
        "TIKTOK_CLIENT_KEY": login_kit_app.id,
        "TIKTOK_CLIENT_SECRET": login_kit_app.secret,
        "TIKTOK_BUSINESS_API_URL": simulator_url,
        "TIKTOK_OPEN_API_URL": simulator_url,
        "TIKTOK_BUSINESS_CONSENT_URL": f"{simulator_url}/portal/auth",
        "TIKTOK_CONSENT_URL": f"{simulator_url}/v2/auth/authorize/",
    }


def _print_welcome(service: Service, simulator_url: str, api_key: str) -> None:
    from rich.console import Console
    from rich.text import Text

    base_url = service.settings.public_url
    links = {
        page: create_link(
            service, DEMO_USER, page=page, lifetime=LINK_LIFETIME, display_name=DEMO_NAME
        )
        for page in ("/connect", "/status")
    }
    curl = f"curl -H 'Authorization: Bearer {api_key}' {base_url}/connections"
    lines = {
        "Connect an account": links["/connect"],
        "Status page": links["/status"],
        "TikTok simulator": simulator_url,
        "API call of a server": curl,
    }
    console = Console(highlight=False, soft_wrap=True)
    console.print("\n  The TikTok connector with a simulated TikTok.\n", style="bold")
    for label, value in lines.items():
        style = "cyan" if value.startswith("http") else ""
        console.print(Text(f"  {label:<22}", "dim"), Text(value, style), sep="")
    console.print(
        "\n  To see the connections of all users, the events and the webhooks, sign out on the status page,"
        "\n  and sign in with the API key in the curl command."
        "\n  All accounts are simulated, and no data leaves this machine. The links are valid for a day."
        "\n  Ctrl-C ends the demo and deletes all of its data.\n",
        style="dim",
    )
    sys.stdout.flush()


def _choose_port(requested_port: int | None) -> int:
    if requested_port is None:
        return _first_free_port(DEFAULT_PORT)
    return requested_port or _any_free_port()


def _first_free_port(start: int) -> int:
    candidates = range(start, min(start + 100, 65_536))
    return next((port for port in candidates if _is_free(port)), start)


def _is_free(port: int) -> bool:
    """Checks both addresses of "localhost", because a browser may use either address."""
    for family, host in ((socket.AF_INET, LOCALHOST), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
    return True


def _any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        return int(probe.getsockname()[1])
