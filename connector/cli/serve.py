"""`connector serve`: runs the service until SIGTERM or Ctrl-C.

Shutdown has three steps: the server stops accepting connections, running requests are completed, and the
service waits for running refreshes, which are never cancelled. A process manager should therefore wait
for twice the longest call to TikTok before it kills the process.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
from argparse import Namespace
from contextlib import suppress

from connector.app import Service
from connector.settings import Settings

from . import logging_setup
from .http_server import run_with_uvloop, serve_connector, stop_signal
from .setting_checks import weakened_protection
from .terminal import print_error, print_result

MAX_OPEN_FILES = 16_384
HOLD_NOTICE = (
    "--hold: no token and no code is used. Nothing is refreshed, exchanged or revoked. Start without --hold "
    "before the tokens expire."
)


def serve(options: Namespace) -> int:
    settings = Settings.read(os.environ)
    logging_setup.configure(settings.log_level, format=settings.log_format)
    for warning in (*settings.warnings, *weakened_protection(settings)):
        print_error(str(warning))
    run_with_uvloop(serve_until_stopped(Service.build(settings, hold=options.hold)))
    return 0


async def serve_until_stopped(service: Service) -> None:
    settings = service.settings
    with stop_signal() as stop:
        application = service.web_application()
        async with serve_connector(application, settings.host, settings.port) as addresses:
            _raise_open_file_limit()
            _tune_garbage_collector()
            if service.hold:
                print_error(HOLD_NOTICE)
            print_result(f"Ready at {settings.public_url} (listening on {', '.join(addresses)})")
            sys.stdout.flush()
            await stop.wait()


def _raise_open_file_limit() -> None:
    """Each client and each call to TikTok needs a socket; the usual limit of 1,024 is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    new_limit = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < new_limit:
        with suppress(ValueError, OSError):  # Some systems allow less than the hard limit.
            resource.setrlimit(resource.RLIMIT_NOFILE, (new_limit, hard))


def _tune_garbage_collector() -> None:
    """Reduces collections. Objects that exist now are never garbage, nor are hundreds of running refreshes.
    With the default threshold of 700 objects, collections find no garbage and use 5 % of the CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)
