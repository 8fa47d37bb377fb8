"""The curl commands in docs/webhooks.md work, with a receiver of the guide as the endpoint."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from connector.app import Service
from connector.cli.parser import parse_arguments
from connector.clock import Clock
from connector.web import ROUTES
from tests.credentials import API_KEYS
from tests.manual_clock import ManualClock
from tests.processes import free_port
from tests.running_service import (
    AS_SERVER,
    connect_account,
    running_simulator,
    serving,
    settings_for,
)

from .programs import GUIDE, running_program

SHELL_BLOCKS = re.findall(r"^```sh\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A curl command of the guide."""

    method: str
    url: str
    headers: dict[str, str]
    body: dict[str, Any]

    @classmethod
    def find(cls, path: str, values: Mapping[str, str]) -> Command:
        [text] = [block for block in SHELL_BLOCKS if f"{path} " in block]
        for name, value in values.items():
            text = text.replace(name, value)
        words = shlex.split(text)
        options = [(word, words[at + 1]) for at, word in enumerate(words[:-1])]
        headers = dict(value.split(": ", 1) for option, value in options if option == "-H")
        options_by_name = dict(options)
        [url] = [word for word in words if word.startswith("http")]
        return cls(options_by_name["-X"], url, headers, json.loads(options_by_name["-d"]))

    async def run(self, http: ClientSession, **changes: Any) -> Any:
        async with http.request(
            self.method, self.url, headers=self.headers, json=self.body | changes
        ) as response:
            assert response.ok, await response.text()
            return await response.json()


async def test_the_commands_create_an_endpoint_replace_its_secret_and_replay(
    tmp_path: Path,
) -> None:
    (folder := tmp_path / "receiver").mkdir()
    environment = {"PORT": (port := str(free_port()))}
    async with running_simulator(ManualClock(datetime.now(UTC))) as simulator:
        settings = settings_for(tmp_path, simulator.url, CONNECTOR_PRIVATE_NETWORKS="127.0.0.0/8")
        service = Service.build(settings, clock=Clock())
        async with serving(service) as url, ClientSession() as http:
            values = {
                "https://connect.example.com": url,
                "https://app.example.com": f"http://127.0.0.1:{port}",
                "$CONNECTOR_API_KEY": API_KEYS[0],
            }
            endpoint = await Command.find("/endpoints", values).run(http)
            values["$ENDPOINT_ID"] = endpoint["id"]
            environment["WEBHOOK_SECRET"] = endpoint["secret"]
            async with running_program(folder, "receive.mjs", environment) as receiver:
                await receiver.read_until(port)
                connection = (await connect_account(http, url, simulator))["connection_id"]
                await receiver.read_until(f"{connection} active")

                rotated = await Command.find("/secret", values).run(http)
                assert rotated["secret"] != endpoint["secret"]
                await http.delete(f"{url}/connections/{connection}", headers=AS_SERVER)
                await receiver.read_until(f"{connection} revoked")

            environment["WEBHOOK_SECRET"] = rotated["secret"]
            async with running_program(folder, "receive.mjs", environment) as receiver:
                await receiver.read_until(port)
                today = datetime.now(UTC).date().isoformat()
                replay = Command.find("/replay", values | {"2026-11-21": today})
                result = await replay.run(http, again=True)
                assert result["count"] >= 2
                assert {"more", "next_since"} < result.keys()
                await receiver.read_until(f"{connection} revoked")


def test_every_address_in_the_guide_is_a_route() -> None:
    routes = {f"{route.method} {route.canonical}" for route in ROUTES}
    addresses = set(re.findall(r"`((?:GET|POST|PATCH|PUT|DELETE) /[^`?]+)`", GUIDE))
    assert addresses
    assert addresses <= routes


def test_every_command_in_the_guide_exists() -> None:
    commands = re.findall(r"`connector ([^`]+)`", GUIDE)
    assert commands
    for command in commands:
        assert parse_arguments(command.split()).handler
