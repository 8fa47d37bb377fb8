"""`connector`, with short limits for a request that is never complete: no test waits for half a minute."""

from __future__ import annotations

import sys

from connector.cli import main
from connector.web import http_server, request_parsing

LIMIT_SECONDS = 3.0

if __name__ == "__main__":
    http_server.HEADER_SECONDS = LIMIT_SECONDS
    request_parsing.BODY_TIMEOUT = LIMIT_SECONDS
    sys.exit(main())
