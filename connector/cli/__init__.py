"""The roof: people, cron and process managers at a terminal.

Standard output carries the result and nothing else, so `TOKEN=$(connector token ID)` works; what
is said about it goes to standard error. A command leaves with 0 when all is well, 1 when something
failed, 2 when it was asked wrongly or the settings are wrong, and 130 when it was interrupted.

What a command needs is imported when it runs: asking for help must not cost half a second.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module

from .parser import parsed
from .terminal import complain

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    try:
        options = parsed(sys.argv[1:] if argv is None else argv)
    except SystemExit as told:
        return int(told.code or 0)
    try:
        code = _run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has enough. The interpreter would flush once more and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _run(options: Namespace) -> int:
    from connector.errors import ConnectorError, InvalidRequest
    from connector.seal import BadKey
    from connector.settings import SettingsWrong

    module, _, name = str(options.work).partition(":")
    try:
        code = getattr(import_module(f".{module}", __package__), name)(options)
    except SettingsWrong as wrong:
        for problem in (*wrong.problems, *wrong.warnings):
            complain(str(problem))
        return 2
    except BadKey:
        complain(
            "CONNECTOR_ENCRYPTION_KEYS cannot be used: `connector keys new` prints a fresh key."
        )
        return 2
    except ConnectorError as error:
        complain(error.detail)
        return 2 if isinstance(error, InvalidRequest) else 1
    return int(code)
