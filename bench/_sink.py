"""Receives events like a customer's server: `/ok` responds at once, `/hang` never.

`/_arrivals` returns the delay of each event at `/ok` since the last call, from the time in its body to its arrival,
and the time of arrival. So the receiving process does not parse bodies while it is measured.
"""

from __future__ import annotations

import json
import time
from datetime import datetime

from ._server import HttpConnection, Respond, json_response, serve

RESPONSE = b"HTTP/1.1 204 No Content\r\n\r\n"


class Sink:
    def __init__(self) -> None:
        self._arrivals: list[tuple[float, bytes]] = []
        self._hanging = 0

    def handle(self, head: bytes, body: bytes, respond: Respond) -> None:
        path = head.split(b" ", 2)[1]
        if path == b"/ok":
            self._arrivals.append((time.time(), body))
            respond(RESPONSE)
        elif path == b"/hang":
            self._hanging += 1
        elif path == b"/_count":
            respond(json_response(b"%d" % len(self._arrivals)))
        else:
            arrivals = [[at, at - _sent_at(body)] for at, body in self._arrivals]
            self._arrivals.clear()
            respond(json_response(json.dumps(arrivals).encode()))


def _sent_at(body: bytes) -> float:
    return datetime.fromisoformat(json.loads(body)["timestamp"]).timestamp()


if __name__ == "__main__":
    sink = Sink()
    serve(lambda: HttpConnection(sink.handle))
