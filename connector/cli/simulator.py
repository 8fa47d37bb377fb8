"""`connector simulator`: runs only the TikTok simulator."""

from __future__ import annotations

import sys
from argparse import Namespace

from tiktok_simulator import build_simulator

from . import logging_setup
from .http_server import run_with_uvloop, serve_http, stop_signal
from .terminal import print_result

SHUTDOWN_GRACE_SECONDS = 2.0
"""Short, because a simulated request may be aborted."""


def simulator(options: Namespace) -> int:
    logging_setup.configure("info")
    run_with_uvloop(_serve_simulator(options.host, options.port))
    return 0


async def _serve_simulator(host: str, port: int) -> None:
    with stop_signal() as stop:
        async with serve_http(
            build_simulator(),
            host,
            port,
            shutdown_grace=SHUTDOWN_GRACE_SECONDS,
            port_setting="--port",
        ) as addresses:
            print_result(f"TikTok simulator ready at {addresses[0]} (control API: /_sim)")
            sys.stdout.flush()
            await stop.wait()
