"""The commands and their options. A command names its handler as `module:function` of this package."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from connector import __version__

from .option_types import number, port, positive_number

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

SETTINGS_HELP = "Settings come from the environment and from .env in the working directory."
FAMILIES_HELP = "marketing, accounts or login_kit"
WEBHOOK_TYPES = ("VIDEO", "COMMENT", "DIRECT_MESSAGE", "BRAND_MENTION")
TYPES_HELP = "types of events, or prefixes such as connection.*, separated by commas"
DELIVERY_STATES = ("pending", "delivered", "exhausted", "dropped")
ENDPOINT_ACTIONS = (
    ("show", "show", "print one endpoint"),
    ("enable", "enable", "enable an endpoint again"),
    ("disable", "disable", "send nothing to an endpoint, and drop its pending deliveries"),
    ("delete", "delete", "delete an endpoint and its deliveries"),
    ("rotate", "rotate", "create a new secret of an endpoint, and print it"),
    ("test", "send_test", "send the event endpoint.test to an endpoint now"),
    ("deliveries", "deliveries", "list the deliveries to an endpoint, newest first"),
    ("replay", "replay", "send the events that an endpoint has not received"),
)
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
    _event_commands(commands)
    _operator_commands(commands)
    _webhook_commands(commands)
    return parser


def _command(commands: Commands, name: str, handler: str, help: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    command.set_defaults(handler=handler)
    return command


def _server_commands(commands: Commands) -> None:
    serve = _command(commands, "serve", "serve:serve", "run the service")
    serve.add_argument(
        "--hold",
        action="store_true",
        help="use no token and no code, so that you can look first, for example after a restore",
    )
    demo = _command(
        commands,
        "demo",
        "demo:demo",
        "run the service with a TikTok simulator, no credentials needed",
    )
    demo.add_argument("--port", type=port, metavar="P", help="default 8080, or the next free port")
    simulator = _command(
        commands, "simulator", "simulator:simulator", "run only the TikTok simulator"
    )
    simulator.add_argument("--host", default="127.0.0.1", metavar="H", help="default 127.0.0.1")
    simulator.add_argument("--port", type=port, default=8090, metavar="P", help="default 8090")


def _connect_commands(commands: Commands) -> None:
    url = _command(
        commands, "auth-url", "connect_commands:auth_url", "print the consent URL for one person"
    )
    _add_user(url)
    url.add_argument("--family", metavar="F", help=FAMILIES_HELP)
    url.add_argument("--redirect-uri", metavar="R", help="one of TIKTOK_REDIRECT_URI")
    exchange = _command(
        commands, "exchange", "connect_commands:exchange", "exchange an authorization code by hand"
    )
    exchange.add_argument("code", metavar="CODE")
    exchange.add_argument(
        "--state", required=True, metavar="S", help="the state that TikTok returned with the code"
    )
    ticket = _command(
        commands, "ticket", "connect_commands:ticket", "print a connect link for one person"
    )
    _add_user(ticket)
    ticket.add_argument(
        "--display-name",
        metavar="N",
        help="a name or e-mail address that the page shows for the user",
    )


def _token_commands(commands: Commands) -> None:
    refresh = _command(
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
    connections = _command(
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
    _add_json(connections)
    token = _command(commands, "token", "connection_commands:token", "print a working access token")
    token.add_argument("id", metavar="ID")
    attempts = _command(
        commands, "attempts", "connection_commands:attempts", "list the last calls to TikTok"
    )
    attempts.add_argument("id", metavar="ID")
    _add_json(attempts)
    disconnect = _command(
        commands,
        "disconnect",
        "connection_commands:disconnect",
        "revoke the token at TikTok and delete it here",
    )
    disconnect.add_argument("id", metavar="ID")


def _event_commands(commands: Commands) -> None:
    events = _command(commands, "events", "events:events", "print the events, one on each line")
    events.add_argument("--follow", action="store_true", help="print new events until Ctrl-C")
    events.add_argument(
        "--after",
        type=number,
        metavar="N",
        help="print the events after this number; default: all events, or only new events with --follow",
    )
    events.add_argument("--types", metavar="T", help=TYPES_HELP)
    events.add_argument("--connection", metavar="ID", help="only this connection")
    events.add_argument("--json", action="store_true", help="print one JSON object on each line")
    endpoints = commands.add_parser(
        "endpoints", help="the addresses to which events are sent"
    ).add_subparsers(metavar="ACTION", required=True)
    _add_json(_command(endpoints, "list", "endpoints:list_all", "list the endpoints"))
    add = _command(endpoints, "add", "endpoints:add", "create an endpoint, and print its secret")
    add.add_argument("url", metavar="URL")
    add.add_argument("--events", metavar="T", default="connection.*", help=TYPES_HELP)
    add.add_argument("--description", metavar="TEXT", default="", help="a note for people")
    _add_json(add)
    actions = {
        name: _command(endpoints, name, f"endpoints:{handler}", help)
        for name, handler, help in ENDPOINT_ACTIONS
    }
    for action in actions.values():
        action.add_argument("id", metavar="ID")
    _add_json(actions["show"])
    actions["delete"].add_argument("--yes", action="store_true", help="do not ask")
    actions["rotate"].add_argument(
        "--grace-hours",
        type=number,
        default=24,
        metavar="N",
        help="for how many hours requests are signed with the old secret too: 0 to 168, default 24",
    )
    deliveries = actions["deliveries"]
    deliveries.add_argument(
        "--state", choices=DELIVERY_STATES, help="only deliveries in this state"
    )
    deliveries.add_argument(
        "--limit", type=positive_number, default=50, metavar="N", help="how many; default 50"
    )
    _add_json(deliveries)
    replay = actions["replay"]
    replay.add_argument(
        "--since",
        required=True,
        metavar="TIME",
        help="a time such as 2026-11-21T14:00:00Z, or an age such as 2h or 7d",
    )
    replay.add_argument(
        "--until", metavar="TIME", help="only events before this time; default: now"
    )
    replay.add_argument(
        "--events", metavar="T", help=f"{TYPES_HELP}; default: the types of the endpoint"
    )
    replay.add_argument(
        "--again", action="store_true", help="also send the events that were delivered already"
    )


def _operator_commands(commands: Commands) -> None:
    erase = _command(
        commands, "erase", "erase:erase", "delete everything about one person, for ever"
    )
    _add_user(erase)
    erase.add_argument("--yes", action="store_true", help="do not ask")
    audit = _command(
        commands, "audit", "audit:audit", "list who read or changed what, newest first"
    )
    audit.add_argument("--connection", metavar="ID", help="only this connection")
    audit.add_argument("--user", metavar="U", help="only this user")
    audit.add_argument("--key", metavar="NAME", help="only this API key")
    audit.add_argument(
        "--limit", type=positive_number, default=100, metavar="N", help="default 100"
    )
    _add_json(audit)
    _command(commands, "check", "check:check", "report every problem, each with its remedy")
    for name, help in (
        ("backup", "copy the SQLite database and the encryption keys to a new folder"),
        ("restore", "put the database and the keys of a backup in place; overwrites nothing"),
    ):
        _command(commands, name, f"backup:{name}", help).add_argument("folder", metavar="DIR")
    keys = commands.add_parser("keys", help="encryption keys: new, rotate").add_subparsers(
        metavar="new|rotate", required=True
    )
    _command(keys, "new", "keys:generate_key", "print a new encryption key")
    _command(keys, "rotate", "keys:rotate_keys", "re-encrypt everything under the first key")


def _webhook_commands(commands: Commands) -> None:
    """WEBHOOK_TYPES equals WEBHOOK_EVENT_TYPES of `connector.tiktok`, which is not imported here: it would make `--help` slow."""
    actions = commands.add_parser(
        "webhooks", help="TikTok's webhooks of the accounts family: set, list, delete"
    ).add_subparsers(metavar="set|list|delete", required=True)
    set_ = _command(
        actions,
        "set",
        "webhooks:set_callback",
        "tell TikTok to send the webhooks of the accounts family to this service",
    )
    set_.add_argument(
        "--url",
        metavar="U",
        help="default: CONNECTOR_PUBLIC_URL followed by /webhooks/tiktok",
    )
    list_ = _command(
        actions, "list", "webhooks:list_callbacks", "list where TikTok sends these webhooks"
    )
    delete = _command(
        actions, "delete", "webhooks:delete_callback", "tell TikTok to stop sending these webhooks"
    )
    for action, default in ((set_, "VIDEO"), (list_, None), (delete, "VIDEO")):
        action.add_argument(
            "--event",
            type=str.upper,
            choices=WEBHOOK_TYPES,
            default=default,
            metavar="E",
            help=f"{', '.join(WEBHOOK_TYPES)}; default: {default or 'all'}",
        )


def _add_user(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--user", required=True, metavar="U", help="the id of the user in your application"
    )


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON")
