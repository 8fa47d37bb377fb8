"""Only a definite word ends a connection, at the first one and once; nothing else ever does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from connector.errors import ConnectorError, ReconnectRequired
from connector.janitor import Janitor
from connector.schedule import LAST_RETRY

from .scene import Replica, Scene


@dataclass(frozen=True)
class Case:
    family: str
    kind: str
    value: Any = None

    def __str__(self) -> str:
        return f"{self.family} {self.kind} {self.value}"


PATHS = {
    "login_kit": "/v2/oauth/token",
    "accounts": "/tt_user/oauth2/refresh_token",
    "marketing": "/oauth2/advertiser/get",
}
DEFINITE = [
    Case("login_kit", "code", "invalid_grant"),
    *(Case("accounts", "code", code) for code in (40102, 40103, 40105, 40106, 40107)),
    *(Case("marketing", "code", code) for code in (40102, 40103, 40105, 40106, 40107)),
]
LIMITS = (40016, 40100, 40132, 40133, 61000)
FAULTS_OF_TIKTOK = (40200, 40201, 40202, 40700, 50000, 50002, 51008, 51305, 52000, 53102, 60001)
OPERATOR = (40010, 40101, 40104, 40113, 40124, 41000, 70001)
PERMISSION = (40001, 40003, 40118, 40125, 40130, 40131, 40300, 40302)
SIGN_IN = (40114, 40120, 40309)
OTHER = (40000, 40002, 40050, 40108, 40110, 40115, 40400, 49999, 20002, -1)
WORDS = (
    *("invalid_client", "unauthorized_client", "invalid_scope", "invalid_request"),
    *("unsupported_grant_type", "access_denied", "rate_limit_exceeded", "internal_error"),
    *("server_error", "temporarily_unavailable", "scope_not_authorized", "a_word_of_tomorrow"),
)
STATUSES = (400, 403, 404, 405, 408, 413, 429, 500, 502, 503, 504, 599)
NOISE = ("html", "truncated", "wrong_type", "huge")
CODES = (*LIMITS, *FAULTS_OF_TIKTOK, *OPERATOR, *PERMISSION, *SIGN_IN, *OTHER)
PASSING = {
    "a word": ("login_kit", "code", WORDS),
    "a code": ("accounts", "code", CODES),
    "a code to a probe": ("marketing", "code", CODES),
    "a status": ("login_kit", "status", STATUSES),
    "a status of business": ("accounts", "status", STATUSES),
    "a status to a probe": ("marketing", "status", STATUSES),
    "noise": ("login_kit", "garbage", NOISE),
    "noise of business": ("accounts", "garbage", NOISE),
    "noise to a probe": ("marketing", "garbage", NOISE),
    "silence": ("login_kit", "hang", (None,)),
    "a cut line": ("accounts", "drop_after_effect", (None,)),
}


async def connected(scene: Scene, replica: Replica, family: str) -> str:
    # What is lost on the wire must be found again here: strict rotation is for other tests.
    await scene.simulator.post("/_sim/settings", {"rotation": "none"})
    id = await scene.connect(replica, family)
    replica.house.transport._deadline = 0.05
    return id


@pytest.mark.parametrize("case", DEFINITE, ids=str)
async def test_a_definite_word_ends_it_at_the_first_one_and_is_told_once(
    scene: Scene, replica: Replica, case: Case
) -> None:
    id = await connected(scene, replica, case.family)
    await scene.simulator.fault(PATHS[case.family], case.kind, case.value)
    with pytest.raises(ReconnectRequired):
        await replica.force(id)
    shown = await replica.shown(id)
    assert (shown.status, shown.due_at) == ("reconnect_required", None)
    assert shown.failure is not None
    assert (shown.failure.code, shown.failure.again_at) == ("reconnect_required", None)
    assert await replica.last(id) == (
        f"{'probe' if case.family == 'marketing' else 'refresh'} reconnect_required {case.value}"
    )
    calls = (await scene.simulator.stats())["calls"]
    scene.clock.turn(30 * 24 * 3600)
    await replica.tend()
    with pytest.raises(ReconnectRequired):
        await replica.read(id)
    assert (await scene.simulator.stats())["calls"] == calls
    assert scene.events() == ["connected", "reconnect_required"]


async def test_a_person_brings_it_back(scene: Scene, replica: Replica) -> None:
    id = await connected(scene, replica, "login_kit")
    await scene.simulator.fault(PATHS["login_kit"], "code", "invalid_grant")
    with pytest.raises(ReconnectRequired):
        await replica.force(id)
    assert await scene.connect(replica) == id
    shown = await replica.shown(id)
    assert (shown.status, shown.failure) == ("active", None)
    assert scene.works((await replica.read(id)).tokens)


@pytest.mark.parametrize(("family", "kind", "values"), PASSING.values(), ids=PASSING)
async def test_nothing_else_does_and_the_old_token_is_served_meanwhile(
    scene: Scene, replica: Replica, family: str, kind: str, values: tuple[Any, ...]
) -> None:
    id = await connected(scene, replica, family)
    for value in values:
        old = await replica.tokens(id)
        if old.expires_at is not None:
            scene.age(old)
        await scene.simulator.fault(PATHS[family], kind, value)
        with pytest.raises(ConnectorError) as caught:
            await replica.force(id)
        assert not isinstance(caught.value, ReconnectRequired), value
        await seen_failing(scene, replica, id, caught.value.code)
        working = await replica.read(id)
        assert (value, working.tokens.access) == (value, old.access)
        assert scene.works(working.tokens)

        scene.let_go()
        scene.clock.turn(2 * 3600)
        await replica.tend()
        shown = await replica.shown(id)
        assert (value, shown.status, shown.failure) == (value, "active", None)
        assert scene.works((await replica.read(id)).tokens)
    assert "reconnect_required" not in scene.events()


async def seen_failing(scene: Scene, replica: Replica, id: str, code: str) -> None:
    """A probe that could not be made says nothing about the token: only the failure is shown."""
    shown = await replica.shown(id)
    assert shown.status == ("active" if shown.family == "marketing" else "refresh_failing")
    assert shown.failure is not None
    assert (shown.failure.code, shown.failure.times) == (code, 1)
    assert shown.failure.again_at is not None
    assert shown.failure.again_at > scene.clock.now()
    assert shown.due_at == shown.failure.again_at


async def test_a_tiktok_nobody_can_reach_ends_nothing(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica)
    scene.age(await replica.tokens(id))
    away = await scene.replica({"TIKTOK_OPEN_API_URL": "http://127.0.0.1:9"})
    assert scene.works((await away.read(id)).tokens)
    shown = await replica.shown(id)
    assert shown.failure is not None
    assert (shown.status, shown.failure.code) == ("refresh_failing", "tiktok_unreachable")
    assert "no connection could be made" in shown.failure.message


async def test_failures_are_counted_from_the_first_and_the_waits_grow_to_a_cap(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica, "accounts")
    began = scene.clock.now()
    await scene.simulator.fault(PATHS["accounts"], "status", 500, times=-1)
    waits = []
    for times in range(1, 15):
        with pytest.raises(ConnectorError):
            await replica.force(id)
        failure = (await replica.shown(id)).failure
        assert failure is not None
        assert failure.again_at is not None
        assert (failure.times, failure.since) == (times, began)
        waits.append(failure.again_at - scene.clock.now())
    assert waits[0] < waits[4] < waits[7]
    assert all(LAST_RETRY / 2 <= wait <= LAST_RETRY for wait in waits[8:])


async def test_each_recovery_is_told_once(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica)
    for _ in range(2):
        await scene.simulator.fault(PATHS["login_kit"], "status", 500, times=2)
        for _ in range(2):
            with pytest.raises(ConnectorError):
                await replica.force(id)
        await replica.force(id)
        await replica.force(id)
    assert scene.events() == ["connected", "recovered", "recovered"]


async def test_every_attempt_leaves_one_line(scene: Scene, replica: Replica) -> None:
    kit, ads = await scene.connect(replica), await scene.connect(replica, "marketing")
    await replica.force(kit)
    scene.age(await replica.tokens(kit))
    await replica.read(kit)
    await scene.simulator.fault(PATHS["login_kit"], "code", "server_error")
    with pytest.raises(ConnectorError):
        await replica.force(kit)
    scene.clock.turn(6 * 3600)
    await replica.tend()
    for id in (kit, ads):
        await replica.house.connections.disconnect(id, of=None, who="api key 1")

    def told(lines: list[Any]) -> list[tuple[str, str, str, str | None]]:
        return [(line.what, line.who, line.verdict, line.code) for line in lines]

    lines = await replica.store.attempts(kit)
    assert told(lines) == [
        ("revoke", "api key 1", "ok", None),
        ("refresh", "keeper", "ok", None),
        ("refresh", "user", "tiktok_unreachable", "server_error"),
        ("read", "server", "ok", None),
        ("refresh", "user", "ok", None),
        ("exchange", "user", "ok", None),
    ]
    assert lines[2].request_id
    assert told(await replica.store.attempts(ads)) == [
        ("revoke", "api key 1", "ok", None),
        ("probe", "keeper", "ok", None),
        ("exchange", "user", "ok", None),
    ]


async def test_of_the_attempts_the_last_fifty_are_kept(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica)
    for _ in range(60):
        await replica.force(id)
    assert len(await replica.store.attempts(id)) == 50
    janitor = Janitor(exchange=replica.house.exchange, store=replica.store, clock=scene.clock)
    await janitor.make_round()
    assert len(scene.rows("attempts")) == 61
    scene.clock.turn(25 * 3600)
    await janitor.make_round()
    assert len(scene.rows("attempts")) == 50
