"""The command line: `connector COMMAND`, for people, cron and process managers.

Standard output contains only the result, so `TOKEN=$(connector token ID)` works; messages go to standard
error. Exit codes: 0 success, 1 something failed, 2 wrong usage or invalid settings,
130 interrupted.

A command's module is imported when the command runs, so that `--help` is fast.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module

from .parser import parse_arguments
from .terminal import print_error

__all__ = ["main"]

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    try:
        options = parse_arguments(sys.argv[1:] if argv is None else argv)
    except SystemExit as exit:
        return int(exit.code or 0)
    try:
        code = _run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe. Without this the interpreter would flush again and print an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _run(options: Namespace) -> int:
    from connector.encryption import InvalidKey
    from connector.errors import ConnectorError, InvalidRequest
    from connector.settings import InvalidSettings

    module, _, function = str(options.handler).partition(":")
    try:
        code = getattr(import_module(f".{module}", __package__), function)(options)
    except InvalidSettings as error:
        for problem in (*error.problems, *error.warnings):
            print_error(str(problem))
        return 2
    except InvalidKey:
        print_error(
            "CONNECTOR_ENCRYPTION_KEYS cannot be used: `connector keys new` prints a new key."
        )
        return 2
    except ConnectorError as error:
        print_error(error.detail)
        return 2 if isinstance(error, InvalidRequest) else 1
    return int(code)
