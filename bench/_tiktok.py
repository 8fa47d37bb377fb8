"""A static TikTok: it says yes to everything, at once or after a set time, and keeps no books.

The one thing it remembers is which refresh tokens it was shown, because none may come twice. `/_set`
changes what it does from then on, `/_told` tells what it saw. Hanging, it answers when that is over.
A refresh token that begins with `slow.` takes ten seconds.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import parse_qs, urlsplit

from ._server import Answer, Line, answer, serve

SLOW = 10.0
PADDING = "x" * 48
TOKEN = '{"access_token":"act.%d.' + PADDING + '","refresh_token":"rft.%d.' + PADDING + '",'
REFRESH_TOKEN = re.compile(rb"(?:^|&)refresh_token=([^&]+)")
ADVERTISERS = answer(
    b'{"code":0,"message":"OK","request_id":"bench","data":{"list":'
    b'[{"advertiser_id":"7001000000000000001","advertiser_name":"Adlane Shoes"}]}}'
)
USER = answer(
    b'{"code":0,"message":"OK","request_id":"bench","data":'
    b'{"core_user_id":"7002000000000000002","display_name":"Anna"}}'
)


@dataclass
class TikTok:
    latency: float = 0.0
    expires_in: float = 7200
    hangs: bool = False
    held_back: list[tuple[Answer, bytes]] = field(default_factory=list)
    shown: set[bytes] = field(default_factory=set)
    refreshes: int = 0
    numbers: count[int] = field(default_factory=lambda: count(1))

    def take(self, head: bytes, body: bytes, reply: Answer) -> None:
        path = head.split(b" ", 2)[1]
        if path.startswith(b"/_"):
            reply(answer(json.dumps(self._controlled(path.decode())).encode()))
            return
        told, wait = self._told(path, body)
        if self.hangs:
            self.held_back.append((reply, told))
        elif wait:
            asyncio.get_running_loop().call_later(wait, reply, told)
        else:
            reply(told)

    def _told(self, path: bytes, body: bytes) -> tuple[bytes, float]:
        if b"/advertiser/get/" in path:
            return ADVERTISERS, self.latency
        if b"/user/info/" in path:
            return USER, self.latency
        number = next(self.numbers)
        tokens = TOKEN % (number, number)
        if path.startswith(b"/open_api/"):
            said = '{"code":0,"message":"OK","data":{"access_token":"act.%d.%s","scope":[4]}}'
            return answer((said % (number, PADDING)).encode()), self.latency
        slow = self._shown(body)
        said = tokens + '"expires_in":%s,"refresh_expires_in":15552000,"open_id":"bench",'
        said += '"scope":"user.info.basic","token_type":"Bearer"}'
        return answer((said % self.expires_in).encode()), SLOW if slow else self.latency

    def _shown(self, body: bytes) -> bool:
        found = REFRESH_TOKEN.search(body)
        if found is None:
            return False
        self.refreshes += 1
        self.shown.add(found[1])
        return found[1].startswith(b"slow.")

    def _controlled(self, path: str) -> dict[str, int]:
        for name, (value,) in parse_qs(urlsplit(path).query).items():
            setattr(self, name, value == "True" if name == "hangs" else float(value))
        while self.held_back and not self.hangs:
            reply, told = self.held_back.pop()
            reply(told)
        return {"refreshes": self.refreshes, "twice": self.refreshes - len(self.shown)}


if __name__ == "__main__":
    tiktok = TikTok()
    serve(lambda: Line(tiktok.take))
