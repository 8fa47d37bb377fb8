"""The parts from which the parsers of commands are built."""

from __future__ import annotations

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no public name


def add_command(commands: Commands, name: str, handler: str, help: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    command.set_defaults(handler=handler)
    return command


def add_user(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--user", required=True, metavar="U", help="the id of the user in your application"
    )


def add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON")


def positive_number(text: str) -> int:
    return _number_between(text, 1, 10_000_000)


def number(text: str) -> int:
    return _number_between(text, 0, 2**53)


def port(text: str) -> int:
    return _number_between(text, 0, 65_535)


def _number_between(text: str, minimum: int, maximum: int) -> int:
    if not (text.isascii() and text.isdigit() and minimum <= int(text) <= maximum):
        raise argparse.ArgumentTypeError(f"not a whole number from {minimum} to {maximum}")
    return int(text)
