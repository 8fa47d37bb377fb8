"""`connector simulator`: only the TikTok simulator."""

from __future__ import annotations

import signal

from aiohttp import ClientSession

from tests.processes import free_port

from .runner import CommandRunner, first_line_with


async def test_the_simulator_runs_without_the_service(cli: CommandRunner) -> None:
    cli.environment = {}
    port = str(free_port())
    process = await cli.start_process("simulator", "--port", port)
    line = await first_line_with(process, "ready")
    assert f"http://127.0.0.1:{port}" in line
    async with ClientSession() as http, http.get(f"http://127.0.0.1:{port}/_sim/stats") as response:
        assert response.status == 200
    second = await cli.run_process("simulator", "--port", port)
    assert (second.code, "--port" in second.err) == (1, True)
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0
    await process.communicate()
