"""The commands and their options. A command names its handler as `module:function` of this package."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from connector import __version__

from .command_parts import Commands, add_command, add_json, add_user, port, positive_number
from .event_parser import add_event_commands, add_webhook_commands

SETTINGS_HELP = "Settings come from the environment and from .env in the working directory."
FAMILIES_HELP = "marketing, accounts or login_kit"
EXCHANGE_OPTIONS = ("-h", "--help", "--state")


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    return build_parser().parse_args(_move_code_last(argv))


def _move_code_last(argv: Sequence[str]) -> list[str]:
    """Moves a code that begins with a dash, because argparse would parse the code as an option."""
    words = list(argv)
    dashed = [
        word
        for word in words
        if word.startswith("-") and word.partition("=")[0] not in EXCHANGE_OPTIONS
    ]
    if words[:1] == ["exchange"] and len(dashed) == 1:
        words.remove(dashed[0])
        words += ["--", dashed[0]]
    return words


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="connector",
        description="Connect TikTok accounts once, and stay connected.",
        epilog=SETTINGS_HELP,
    )
    parser.add_argument("--version", action="version", version=f"connector {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _server_commands(commands)
    _connect_commands(commands)
    _token_commands(commands)
    add_event_commands(commands)
    _operator_commands(commands)
    add_webhook_commands(commands)
    return parser


def _server_commands(commands: Commands) -> None:
    serve = add_command(commands, "serve", "serve:serve", "run the service")
    serve.add_argument(
        "--hold",
        action="store_true",
        help="use no token and no code, so that you can look first, for example after a restore",
    )
    demo = add_command(
        commands,
        "demo",
        "demo:demo",
        "run the service with a TikTok simulator, no credentials needed",
    )
    demo.add_argument("--port", type=port, metavar="P", help="default 8080, or the next free port")
    simulator = add_command(
        commands, "simulator", "simulator:simulator", "run only the TikTok simulator"
    )
    simulator.add_argument("--host", default="127.0.0.1", metavar="H", help="default 127.0.0.1")
    simulator.add_argument("--port", type=port, default=8090, metavar="P", help="default 8090")


def _connect_commands(commands: Commands) -> None:
    url = add_command(
        commands, "auth-url", "connect_commands:auth_url", "print the consent URL for one person"
    )
    add_user(url)
    url.add_argument("--family", metavar="F", help=FAMILIES_HELP)
    url.add_argument("--redirect-uri", metavar="R", help="one of TIKTOK_REDIRECT_URI")
    exchange = add_command(
        commands, "exchange", "connect_commands:exchange", "exchange an authorization code by hand"
    )
    exchange.add_argument("code", metavar="CODE")
    exchange.add_argument(
        "--state", required=True, metavar="S", help="the state that TikTok returned with the code"
    )
    ticket = add_command(
        commands, "ticket", "connect_commands:ticket", "print a connect link for one person"
    )
    add_user(ticket)
    ticket.add_argument(
        "--display-name",
        metavar="N",
        help="a name or e-mail address that the page shows for the user",
    )


def _token_commands(commands: Commands) -> None:
    refresh = add_command(
        commands, "refresh", "refresh:refresh", "refresh or check tokens now; safe to run from cron"
    )
    selection = refresh.add_mutually_exclusive_group(required=True)
    selection.add_argument("id", nargs="?", metavar="ID", help="this connection")
    selection.add_argument(
        "--due", action="store_true", help="connections that are due, or will be by the next run"
    )
    selection.add_argument("--all", action="store_true", help="every active connection")
    refresh.add_argument(
        "--every",
        type=positive_number,
        metavar="MINUTES",
        help="how often cron runs this command; --due then looks ahead",
    )
    connections = add_command(
        commands, "connections", "connection_commands:connections", "list connections"
    )
    connections.add_argument("--user", metavar="U", help="only the connections of this user")
    connections.add_argument(
        "--status", metavar="S", help="active, refresh_failing, reconnect_required or revoked"
    )
    connections.add_argument("--family", metavar="F", help=FAMILIES_HELP)
    connections.add_argument(
        "--q",
        metavar="TEXT",
        help="an id (connection, user, TikTok user, ad account) or the beginning of a name",
    )
    add_json(connections)
    token = add_command(
        commands, "token", "connection_commands:token", "print a working access token"
    )
    token.add_argument("id", metavar="ID")
    attempts = add_command(
        commands, "attempts", "connection_commands:attempts", "list the last calls to TikTok"
    )
    attempts.add_argument("id", metavar="ID")
    add_json(attempts)
    disconnect = add_command(
        commands,
        "disconnect",
        "connection_commands:disconnect",
        "revoke the token at TikTok and delete it here",
    )
    disconnect.add_argument("id", metavar="ID")


def _operator_commands(commands: Commands) -> None:
    erase = add_command(
        commands, "erase", "erase:erase", "delete everything about one person, for ever"
    )
    add_user(erase)
    erase.add_argument("--yes", action="store_true", help="do not ask")
    audit = add_command(
        commands, "audit", "audit:audit", "list who read or changed what, newest first"
    )
    audit.add_argument("--connection", metavar="ID", help="only this connection")
    audit.add_argument("--user", metavar="U", help="only this user")
    audit.add_argument("--key", metavar="NAME", help="only this API key")
    audit.add_argument(
        "--limit", type=positive_number, default=100, metavar="N", help="default 100"
    )
    add_json(audit)
    add_command(commands, "check", "check:check", "report every problem, each with its remedy")
    for name, help in (
        ("backup", "copy the SQLite database and the encryption keys to a new folder"),
        ("restore", "put the database and the keys of a backup in place; overwrites nothing"),
    ):
        add_command(commands, name, f"backup:{name}", help).add_argument("folder", metavar="DIR")
    keys = commands.add_parser("keys", help="encryption keys: new, rotate").add_subparsers(
        metavar="new|rotate", required=True
    )
    add_command(keys, "new", "keys:generate_key", "print a new encryption key")
    add_command(keys, "rotate", "keys:rotate_keys", "re-encrypt everything under the first key")
