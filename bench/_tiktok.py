"""A static TikTok: it accepts every request, at once or after a set time, and stores almost nothing.

It remembers only the refresh tokens it received, because no refresh token may be sent twice. `/_set`
changes its behaviour, `/_counts` returns what it counted. While `hangs` is set, it sends no response;
the pending responses are sent when `hangs` is cleared. A refresh with a token that begins with `slow.`
takes ten seconds.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import parse_qs, urlsplit

from ._server import HttpConnection, Respond, json_response, serve

SLOW_LATENCY = 10.0
PADDING = "x" * 48
TOKENS = '{"access_token":"act.%d.' + PADDING + '","refresh_token":"rft.%d.' + PADDING + '",'
REFRESH_TOKEN = re.compile(rb"(?:^|&)refresh_token=([^&]+)")
ADVERTISERS = json_response(
    b'{"code":0,"message":"OK","request_id":"bench","data":{"list":'
    b'[{"advertiser_id":"7001000000000000001","advertiser_name":"Adlane Shoes"}]}}'
)
USER = json_response(
    b'{"code":0,"message":"OK","request_id":"bench","data":'
    b'{"core_user_id":"7002000000000000002","display_name":"Anna"}}'
)


@dataclass
class TikTok:
    latency: float = 0.0
    expires_in: float = 7200
    hangs: bool = False
    pending: list[tuple[Respond, bytes]] = field(default_factory=list)
    refresh_tokens: set[bytes] = field(default_factory=set)
    refreshes: int = 0
    numbers: count[int] = field(default_factory=lambda: count(1))

    def handle(self, head: bytes, body: bytes, respond: Respond) -> None:
        path = head.split(b" ", 2)[1]
        if path.startswith(b"/_"):
            respond(json_response(json.dumps(self._control(path.decode())).encode()))
            return
        response, latency = self._response(path, body)
        if self.hangs:
            self.pending.append((respond, response))
        elif latency:
            asyncio.get_running_loop().call_later(latency, respond, response)
        else:
            respond(response)

    def _response(self, path: bytes, body: bytes) -> tuple[bytes, float]:
        if b"/advertiser/get/" in path:
            return ADVERTISERS, self.latency
        if b"/user/info/" in path:
            return USER, self.latency
        number = next(self.numbers)
        tokens = TOKENS % (number, number)
        if path.startswith(b"/open_api/"):
            payload = '{"code":0,"message":"OK","data":{"access_token":"act.%d.%s","scope":[4]}}'
            return json_response((payload % (number, PADDING)).encode()), self.latency
        latency = SLOW_LATENCY if self._is_slow_refresh(body) else self.latency
        payload = tokens + '"expires_in":%s,"refresh_expires_in":15552000,"open_id":"bench",'
        payload += '"scope":"user.info.basic","token_type":"Bearer"}'
        return json_response((payload % self.expires_in).encode()), latency

    def _is_slow_refresh(self, body: bytes) -> bool:
        """Also counts the refresh and remembers its token."""
        match = REFRESH_TOKEN.search(body)
        if match is None:
            return False
        self.refreshes += 1
        self.refresh_tokens.add(match[1])
        return match[1].startswith(b"slow.")

    def _control(self, path: str) -> dict[str, int]:
        for name, (value,) in parse_qs(urlsplit(path).query).items():
            setattr(self, name, value == "True" if name == "hangs" else float(value))
        while self.pending and not self.hangs:
            respond, response = self.pending.pop()
            respond(response)
        sent_twice = self.refreshes - len(self.refresh_tokens)
        return {"refreshes": self.refreshes, "sent_twice": sent_twice}


if __name__ == "__main__":
    tiktok = TikTok()
    serve(lambda: HttpConnection(tiktok.handle))
