"""What can be asked for. Each command names its work as `module:function`, imported only then."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from connector import __version__

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no other name

SETTINGS = "Settings come from the environment and from .env in the working directory."
OF_EXCHANGE = ("-h", "--help", "--state")


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    return parser().parse_args(_code_last(argv))


def _code_last(argv: Sequence[str]) -> list[str]:
    """A code may begin with a dash, as random text does, and is no option for that."""
    words = list(argv)
    dashed = [w for w in words if w.startswith("-") and w.partition("=")[0] not in OF_EXCHANGE]
    if words[:1] == ["exchange"] and len(dashed) == 1:
        words.remove(dashed[0])
        words += ["--", dashed[0]]
    return words


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="connector",
        description="Connect TikTok accounts once, and stay connected.",
        epilog=SETTINGS,
    )
    top.add_argument("--version", action="version", version=f"connector {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    _services(commands)
    _connecting(commands)
    _keeping(commands)
    _operating(commands)
    return top


def _command(commands: Commands, name: str, work: str, help: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    command.set_defaults(work=work)
    return command


def _services(commands: Commands) -> None:
    serve = _command(commands, "serve", "serve:serve", "run the service")
    serve.add_argument(
        "--workers", type=_count, default=1, metavar="N", help="processes; default 1"
    )
    serve.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    demo = _command(
        commands, "demo", "demo:demo", "run the service with a TikTok to try it on, no credentials"
    )
    demo.add_argument("--port", type=_port, metavar="P", help="default 8080, or the next free one")
    simulator = _command(commands, "simulator", "demo:simulator", "run only the TikTok simulator")
    simulator.add_argument("--host", default="127.0.0.1", metavar="H", help="default 127.0.0.1")
    simulator.add_argument("--port", type=_port, default=8090, metavar="P", help="default 8090")


def _connecting(commands: Commands) -> None:
    url = _command(commands, "auth-url", "once:auth_url", "print the consent URL for one person")
    _for_user(url)
    url.add_argument("--family", metavar="F", help="marketing, accounts or login_kit")
    url.add_argument("--redirect-uri", metavar="R", help="one of TIKTOK_REDIRECT_URI")
    exchange = _command(commands, "exchange", "once:exchange", "exchange a code by hand")
    exchange.add_argument("code", metavar="CODE")
    exchange.add_argument("--state", required=True, metavar="S", help="as it came back with it")
    ticket = _command(commands, "ticket", "once:ticket", "print a connect link for one person")
    _for_user(ticket)


def _keeping(commands: Commands) -> None:
    refresh = _command(
        commands, "refresh", "refresh:refresh", "refresh or check tokens now; made for cron"
    )
    which = refresh.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", metavar="ID", help="this connection")
    which.add_argument("--due", action="store_true", help="what is due, or will be by the next run")
    which.add_argument("--all", action="store_true", help="every connection that is not over")
    refresh.add_argument(
        "--every", type=_count, metavar="MINUTES", help="how often cron runs this, to look ahead"
    )
    listed = _command(commands, "connections", "once:connections", "show who is connected, and how")
    listed.add_argument("--user", metavar="U", help="this user's only")
    _as_json(listed)
    token = _command(commands, "token", "once:token", "print a working access token")
    token.add_argument("id", metavar="ID")
    attempts = _command(commands, "attempts", "once:attempts", "show what was tried with TikTok")
    attempts.add_argument("id", metavar="ID")
    _as_json(attempts)
    disconnect = _command(
        commands, "disconnect", "once:disconnect", "revoke at TikTok and forget here"
    )
    disconnect.add_argument("id", metavar="ID")


def _operating(commands: Commands) -> None:
    _command(commands, "check", "check:check", "tell everything that is not right, with the remedy")
    keys = commands.add_parser("keys", help="encryption keys: new, rotate").add_subparsers(
        metavar="new|rotate", required=True
    )
    _command(keys, "new", "keys:new", "print a fresh encryption key")
    _command(keys, "rotate", "keys:rotate", "seal everything again, under the newest key")


def _for_user(command: argparse.ArgumentParser) -> None:
    command.add_argument("--user", required=True, metavar="U", help="the user's id, a UUID")


def _as_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="as JSON")


def _count(text: str) -> int:
    return _within(text, 1, 10_000_000)


def _port(text: str) -> int:
    return _within(text, 0, 65_535)


def _within(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"it must be a whole number from {least} to {most}")
    return int(text)
