"""The exchange: POST /oauth/exchange, TikTok, advertisers, store, response.

The peer is a Fastify 5 service with undici and supabase-js that does the three plain steps: token,
advertisers, one upsert. It runs twice: with supabase-js as it comes, and with a leaner fetch under it.
Ours also claims the code, calls TikTok's user info, encrypts, and syncs a journal. Each flow has another user
and another code.

Measured twice: against a TikTok that answers in 150 ms, which shows the latency for users, and against a TikTok
that answers at once, which shows the cost of our own work.
"""

from __future__ import annotations

import json
import subprocess
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from connector.clock import Clock
from connector.model import UserId
from connector.oauth import OAuthStates

from ._bench import STORES, Bench, free_port, measure_load, request
from ._programs import Program, wait_until_ready
from ._table import Figures, Report, median, ms, ratio, spread, us, whole

PEERS = Path(__file__).parent / "peers"
PEER, LEAN_PEER = "Fastify", "Fastify, lean"
FASTEST = 3000
"""More flows per second than any candidate reaches: this many codes are made beforehand."""


@dataclass(frozen=True)
class Setup:
    title: str
    latency: float
    concurrent: tuple[int, ...]
    rounds: int
    seconds: float


SLOW = Setup("Exchange, TikTok answers in 150 ms", 0.150, (1, 16, 256), rounds=3, seconds=2.0)
INSTANT = Setup("Exchange, TikTok answers at once", 0.0, (16, 64), rounds=3, seconds=1.2)

Candidates = dict[str, tuple[Program, int]]
Key = tuple[str, int]


def main() -> None:
    with Bench() as bench:
        candidates: Candidates = {PEER: _peer(bench), LEAN_PEER: _peer(bench, LEAN="yes")}
        for store in STORES:
            service = bench.serve(store)
            candidates[store] = service, service.port
        for candidate in candidates.values():
            _measure(bench, INSTANT, candidate, 64)  # Warm-up, not counted.
        for setup, goals in ((SLOW, _slow_goals), (INSTANT, _instant_goals)):
            bench.tiktok.set(latency=setup.latency)
            rounds = _rounds(bench, setup, candidates)
            report = _report(setup, rounds)
            goals(report, {key: median(figures) for key, figures in rounds.items()})
            report.publish()


def _rounds(bench: Bench, setup: Setup, candidates: Candidates) -> dict[Key, list[Figures]]:
    rounds: dict[Key, list[Figures]] = {}
    for _ in range(setup.rounds):
        for concurrent in setup.concurrent:
            for name, candidate in candidates.items():
                figures = _measure(bench, setup, candidate, concurrent)
                rounds.setdefault((name, concurrent), []).append(figures)
    return rounds


def _measure(
    bench: Bench, setup: Setup, candidate: tuple[Program, int], concurrent: int
) -> Figures:
    program, port = candidate
    return measure_load(
        program,
        bench.load_generator,
        port,
        _flows(bench, setup),
        connections=concurrent,
        seconds=setup.seconds,
        repeat=False,
    )


def _peer(bench: Bench, **environment: str) -> tuple[Program, int]:
    installed, lock = PEERS / "node_modules" / ".installed", PEERS / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        npm = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        subprocess.run(npm, cwd=PEERS, check=True, stdout=subprocess.DEVNULL)
        installed.touch()
    port = free_port()
    settings = {
        "PORT": str(port),
        "NODE_ENV": "production",
        "TIKTOK_URL": bench.tiktok.url,
        "SUPABASE_URL": bench.supabase_url,
        "SUPABASE_SERVICE_ROLE_KEY": bench.stack.service_role_key,
    }
    program = bench.run(
        "node", "exchange.js", environment={**settings, **environment}, directory=PEERS
    )
    wait_until_ready(program, port)
    return program, port


def _flows(bench: Bench, setup: Setup) -> list[bytes]:
    oauth_states = OAuthStates(
        bench.cipher.derive_signing_keys("state"),
        clock=Clock(),
        max_age=timedelta(hours=1),
        accept_unsigned=False,
        default_redirect_uri="http://localhost/oauth/callback",
        families=("marketing",),
    )
    return [_flow(oauth_states) for _ in range(int(setup.seconds * FASTEST))]


def _flow(oauth_states: OAuthStates) -> bytes:
    state = oauth_states.issue(
        UserId(str(uuid4())), family="marketing", redirect_uri="http://localhost/oauth/callback"
    )
    body = json.dumps({"auth_code": urlsafe_b64encode(uuid4().bytes).decode(), "state": state})
    return request("POST", "/oauth/exchange", body=body.encode())


def _report(setup: Setup, rounds: dict[Key, list[Figures]]) -> Report:
    report = Report(
        title=setup.title,
        description=(
            f"`POST /oauth/exchange`, each flow with another user. {PEER} is a service with undici and "
            "supabase-js that does three plain steps through PostgREST, and `of peer` compares with "
            f"it; `{LEAN_PEER}` also replaces the fetch under supabase-js, as we replace the client "
            "under supabase-py. Ours calls TikTok three times and the store twice (claim, upsert; "
            "concurrent calls share one), encrypts, and syncs a journal. PostgREST is behind the same "
            "gateway for all."
        ),
        header=(
            "",
            "at once",
            "flows/s",
            "of peer",
            "p50 ms",
            "of peer",
            "p99 ms",
            "CPU µs",
            "of peer",
        ),
        spreads=[spread([figures.rate for figures in of_row]) for of_row in rounds.values()],
    )
    medians = {key: median(figures) for key, figures in rounds.items()}
    for (name, concurrent), figures in medians.items():
        peer = medians[PEER, concurrent]
        report.row(
            name,
            concurrent,
            whole(figures.rate) + ("" if not figures.failed else f" ({figures.failed} failed)"),
            ratio(figures.rate, peer.rate),
            ms(figures.p50),
            ratio(figures.p50, peer.p50),
            ms(figures.p99),
            us(figures.cpu),
            ratio(figures.cpu, peer.cpu),
        )
    failed = sum(figures.failed for figures in medians.values())
    report.goal("no request failed", result=f"{failed} failed", met=failed == 0)
    return report


def _slow_goals(report: Report, figures: dict[Key, Figures]) -> None:
    for concurrent in (1, 16):
        share = figures["PostgREST", concurrent].p50 / figures[PEER, concurrent].p50
        report.goal(
            f"PostgREST: p50 at most 1.03 of the peer's at {concurrent}",
            result=f"{share:.2f}",
            met=share <= 1.03,
        )
    share = figures["PostgREST", 256].rate / figures[PEER, 256].rate
    report.goal(
        "PostgREST: at least 1.5 times the peer's flows per second at 256",
        result=f"{share:.2f}",
        met=share >= 1.5,
    )


def _instant_goals(report: Report, figures: dict[Key, Figures]) -> None:
    for concurrent, goal in ((16, 0.9), (64, 1.0)):
        share = figures["PostgREST", concurrent].rate / figures[PEER, concurrent].rate
        report.goal(
            f"PostgREST: at least {goal} of the peer's flows per second at {concurrent}",
            result=f"{share:.2f}",
            met=share >= goal,
        )
        cpu = figures["PostgREST", concurrent].cpu / figures[PEER, concurrent].cpu
        report.goal(
            f"PostgREST: at most 1.5 times the peer's CPU per flow at {concurrent}",
            result=f"{cpu:.2f}",
            met=cpu <= 1.5,
        )


if __name__ == "__main__":
    main()
