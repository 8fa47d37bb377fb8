"""The exchange: POST /oauth/exchange, TikTok, advertisers, store, answer.

The peer is the seed's own stack, Fastify 5 with undici and supabase-js, doing the three plain steps:
token, advertisers, one upsert. It runs twice: with supabase-js as it comes, and with a leaner fetch
under it. Ours also claims the code, asks who the TikTok user is, seals, and syncs a journal twice.
Every flow is another person with another code.
"""

from __future__ import annotations

import json
import subprocess
from base64 import urlsafe_b64encode
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from connector.clock import Clock
from connector.intent import Intents
from connector.model import UserId

from ._bench import STORES, Bench, free_port, measured, request
from ._programs import Program, wait_until_ready
from ._table import Figures, Report, median, ms, ratio, spread, us, whole

PEERS = Path(__file__).parent / "peers"
PEER, LEAN_PEER = "Fastify", "Fastify, lean"
CONCURRENT = (1, 16, 64)
ROUNDS = 3
SECONDS = 1.2
FASTEST = 3000
"""Flows per second that nobody reaches: so many codes are made beforehand."""

Candidates = dict[str, tuple[Program, int]]


def main() -> None:
    with Bench() as bench:
        candidates: Candidates = {PEER: _peer(bench), LEAN_PEER: _peer(bench, LEAN="yes")}
        for store in STORES:
            service = bench.serve(store)
            candidates[store] = service, service.port
        for candidate in candidates.values():
            _measured(bench, candidate, 64)  # Not counted: caches fill, compilers compile.
        figures: dict[tuple[str, int], list[Figures]] = {}
        for _ in range(ROUNDS):
            for connections in CONCURRENT:
                for name, candidate in candidates.items():
                    got = _measured(bench, candidate, connections)
                    figures.setdefault((name, connections), []).append(got)
    _report({key: (median(of), spread([each.rate for each in of])) for key, of in figures.items()})


def _measured(bench: Bench, candidate: tuple[Program, int], connections: int) -> Figures:
    program, port = candidate
    return measured(
        program,
        bench.load,
        port,
        _flows(bench),
        connections=connections,
        seconds=SECONDS,
        again=False,
    )


def _peer(bench: Bench, **more: str) -> tuple[Program, int]:
    installed, lock = PEERS / "node_modules" / ".installed", PEERS / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        npm = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        subprocess.run(npm, cwd=PEERS, check=True, stdout=subprocess.DEVNULL)
        installed.touch()
    port = free_port()
    environment = {
        "PORT": str(port),
        "NODE_ENV": "production",
        "TIKTOK_URL": bench.tiktok.url,
        "SUPABASE_URL": bench.supabase_url,
        "SUPABASE_SERVICE_ROLE_KEY": bench.stack.service_role_key,
        **more,
    }
    program = bench.run("node", "exchange.js", environment=environment, directory=PEERS)
    wait_until_ready(program, port)
    return program, port


def _flows(bench: Bench) -> list[bytes]:
    intents = Intents(
        bench.seal.derive("state"),
        clock=Clock(),
        max_age=timedelta(hours=1),
        accept_unsigned=False,
        default_redirect_uri="http://localhost/oauth/callback",
        families=("marketing",),
    )
    return [_flow(intents) for _ in range(int(SECONDS * FASTEST))]


def _flow(intents: Intents) -> bytes:
    state = intents.issue(
        UserId(str(uuid4())), family="marketing", redirect_uri="http://localhost/oauth/callback"
    )
    body = json.dumps({"auth_code": urlsafe_b64encode(uuid4().bytes).decode(), "state": state})
    return request("POST", "/oauth/exchange", body=body.encode())


def _report(figures: dict[tuple[str, int], tuple[Figures, float]]) -> None:
    report = Report(
        title="Exchange",
        words=(
            "`POST /oauth/exchange` against a TikTok that answers at once, each flow another person. "
            f"{PEER} is the seed's stack, undici and supabase-js, doing three plain steps through "
            f"PostgREST, and what `of peer` is held against; `{LEAN_PEER}` also replaces the fetch "
            "under supabase-js, as we replace what is under supabase-py. Ours asks TikTok three "
            "times and the store twice (claim, save; those who wait at the same time share a call), "
            "seals, and syncs a journal. PostgREST stands behind the same lean gateway for all."
        ),
        head=("", "at once", "flows/s", "of peer", "p50 ms", "p99 ms", "CPU µs", "of peer"),
        noise=[noise for _, noise in figures.values()],
    )
    for (name, connections), (got, _) in figures.items():
        peer, _ = figures[PEER, connections]
        report.row(
            name,
            connections,
            whole(got.rate) + ("" if not got.failed else f" ({got.failed} failed)"),
            ratio(got.rate, peer.rate),
            ms(got.p50),
            ms(got.p99),
            us(got.cpu),
            ratio(got.cpu, peer.cpu),
        )
    _goals(report, {key: got for key, (got, _) in figures.items()})
    report.publish()


def _goals(report: Report, figures: dict[tuple[str, int], Figures]) -> None:
    for name, goal in (("PostgREST", 0.9), ("Postgres", 1.7)):
        rates = [figures[name, n].rate / figures[PEER, n].rate for n in CONCURRENT]
        report.goal(
            f"{name}: at least {goal} of the peer's flows per second at 16",
            reached=", ".join(
                f"{rate:.2f} at {n}" for rate, n in zip(rates, CONCURRENT, strict=True)
            ),
            met=rates[1] >= goal,
        )
        slower = [figures[name, n].p99 / figures[PEER, n].p99 for n in CONCURRENT]
        report.goal(
            f"{name}: p99 no worse than the peer's at 16",
            reached=", ".join(
                f"{each:.2f} at {n}" for each, n in zip(slower, CONCURRENT, strict=True)
            ),
            met=slower[1] <= 1,
        )
    cpu = figures["Postgres", 16].cpu / figures[PEER, 16].cpu
    report.goal(
        "Postgres: at most 0.7 of the peer's CPU per flow at 16",
        reached=f"{cpu:.2f}",
        met=cpu <= 0.7,
    )


if __name__ == "__main__":
    main()
