"""Composes a request to a route of the service: mostly valid, with one or more odd parts.

The routes are the application's own, so a new route is covered as soon as it exists. Valid values come from the
`World`, by the name of the field or path parameter. A field that the world does not know gets a value of its
schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from pydantic_core import to_json

from connector.web.access import Access
from connector.web.route import Model, Route
from connector.webhooks import WEBHOOK_PATH

from . import odd_values as odd
from .message import Header, HttpMessage
from .webhooks import signed_webhook

CREDENTIALS_OF_LEVEL = {
    Access.PUBLIC: ("none", "none", "server", "user token"),
    Access.SELECTION: ("server", "ticket", "user token", "user session", "selection"),
    Access.USER: ("server", "ticket", "user token", "user session", "server session"),
    Access.SERVER: ("server",),
}
ENCODED_FIELDS = ("after", "state")
"""The service decodes these fields, so odd values are more interesting than in other fields.

In some requests they are a number or a word of a list, and not encoded.
"""

SESSION_KINDS = ("user session", "server session")
OWN_PAGE: Header = (b"Sec-Fetch-Site", b"same-origin")


@dataclass(frozen=True)
class World:
    """What one service knows: the values and the credentials that a request may contain."""

    authority: str
    now: int
    values: Mapping[str, tuple[Any, ...]]
    credentials: Mapping[str, tuple[tuple[Header, ...], ...]]
    """By kind: alternatives of the headers that are sent together."""

    codes: tuple[tuple[str, str], ...]
    """Authorization codes that were not used before, each with its state."""

    ids: Mapping[str, tuple[str, ...]]
    """By the first word of the path."""

    disposable_ids: Mapping[str, tuple[str, ...]]
    """Those that DELETE may use up, by the first word of the path."""


@dataclass(frozen=True)
class Composer:
    world: World
    random: Random

    def compose(self, route: Route) -> HttpMessage:
        body = self._body(route)
        headers: list[Header] = [(b"Host", self.world.authority.encode())]
        if route.path == WEBHOOK_PATH:
            body, signature = signed_webhook(self.world.now, self.random)
            headers.append(signature)
        headers += self._credentials(route)
        if body or self._happens(0.3):
            headers += self._content_type()
        headers += self._odd_headers()
        return HttpMessage(self._method(route), self._target(route), tuple(headers), body)

    def _happens(self, probability: float) -> bool:
        return self.random.random() < probability

    def _method(self, route: Route) -> bytes:
        if self._happens(0.05):
            return self.random.choice(odd.ODD_METHODS)
        if route.method == "GET" and self._happens(0.1):
            return b"HEAD"
        return route.method.encode()

    def _target(self, route: Route) -> bytes:
        names = re.compile(r"{(\w+)[^}]*}")
        path = names.sub(lambda found: self._path_value(route, found[1]), route.path)
        target = path.encode("latin-1")
        if self._happens(0.08):
            target = self._odd_path(target)
        return target + self._query(route)

    def _path_value(self, route: Route, name: str) -> str:
        if self._happens(0.12):
            return self.random.choice(odd.ODD_URL_TEXT).decode("latin-1")
        if name == "id":
            ids = self.world.disposable_ids if route.method == "DELETE" else self.world.ids
            return self.random.choice(ids[route.path.split("/")[1]])
        return str(self.random.choice(self.world.values.get(name, (odd.WORD,))))

    def _odd_path(self, path: bytes) -> bytes:
        place = self.random.randrange(len(path) + 1)
        odd_path = self.random.choice(odd.ODD_PATHS).replace(b"{path}", path)
        return self.random.choice(
            (
                odd_path.replace(b"{authority}", self.world.authority.encode()),
                path[:place] + self.random.choice(odd.ODD_URL_TEXT) + path[place:],
                re.sub(rb"[a-z]", lambda found: b"%%%02x" % ord(found[0]), path, count=3),
                path.replace(b"/", self.random.choice((b"//", b"%2f", b"/./", b"\\"))),
                path.upper(),
            )
        )

    def _query(self, route: Route) -> bytes:
        model = route.typed_handler.query
        fields = [] if model is None else self._fields(model)
        pairs = [(name.encode(), self._query_value(value)) for name, value in fields]
        if self._happens(0.12):
            pairs += self._odd_pairs(pairs)
        if not pairs:
            return self.random.choice((b"", b"", b"", b"?"))
        return b"?" + b"&".join(name + b"=" + value for name, value in pairs)

    def _query_value(self, value: Any) -> bytes:
        if self._happens(0.06):
            return self.random.choice(odd.ODD_URL_TEXT)
        return odd.url_encoded(value if isinstance(value, str) else to_json(value).decode())

    def _odd_pairs(self, pairs: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        value = self.random.choice(odd.ODD_URL_TEXT)
        repeated = self.random.choice(pairs) if pairs else (b"limit", b"1")
        names = (
            b"unknown",
            b"",
            b"%00",
            b"%ff",
            b"%ed%a0%80",
            b"a[]",
            b"limit",
            b"user_id",
            b"%0d%0aX",
        )
        many = [(f"p{number}".encode(), b"1") for number in range(200)]
        return self.random.choice(
            ([repeated], [(self.random.choice(names), value)], [(b"", b"")] * 20, many)
        )

    def _fields(self, model: Model) -> list[tuple[str, Any]]:
        """Returns the required fields, and some of the others."""
        schema = json_schema(model)
        required = schema.get("required", ())
        if "state" in required and "code" in model.model_fields and self._happens(0.5):
            code, state = self.random.choice(self.world.codes)
            return [("code", code), ("state", state)]
        return [
            (name, self._field(name, field, schema.get("$defs", {})))
            for name, field in schema["properties"].items()
            if name in required or name == "user_id" or self._happens(0.35)
        ]

    def _field(self, name: str, schema: odd.Json, definitions: odd.Json) -> Any:
        if self._happens(0.3 if name in ENCODED_FIELDS else 0.06):
            return self._odd_field(name)
        schemas = [each for each in schema.get("anyOf", (schema,)) if each.get("type") != "null"]
        is_encoded = name not in ENCODED_FIELDS or _is_free_text(schemas[0])
        if name in self.world.values and is_encoded:
            return self.random.choice(self.world.values[name])
        return odd.example(self.random.choice(schemas), definitions, self.random)

    def _odd_field(self, name: str) -> Any:
        if name == "after" and self.world.values.get("after"):
            return odd.odd_cursor(self.random.choice(self.world.values["after"]), self.random)
        if name == "state":
            return odd.odd_state(self.world.now, self.random)
        return self.random.choice(odd.ODD_URL_TEXT).decode("latin-1")

    def _body(self, route: Route) -> bytes:
        model = route.typed_handler.body
        if model is None:
            return self.random.choice(odd.ODD_BODIES) if self._happens(0.06) else b""
        if self._happens(0.12):
            return self.random.choice((*odd.ODD_BODIES, *odd.ODD_JSON))
        fields = [(name.encode(), to_json(value)) for name, value in self._fields(model)]
        if self._happens(0.2):
            name = self.random.choice([name for name, _ in fields] or [b"unknown"])
            fields.append((name, self.random.choice(odd.ODD_JSON)))
        return b"{" + b",".join(b'"' + name + b'":' + value for name, value in fields) + b"}"

    def _content_type(self) -> list[Header]:
        name = b"Content-Type"
        if self._happens(0.9):
            return [(name, b"application/json")]
        odd_types = self.random.choices(odd.ODD_CONTENT_TYPES, k=self.random.randint(0, 2))
        return [(name, value) for value in odd_types]

    def _credentials(self, route: Route) -> list[Header]:
        if self._happens(0.1):
            return self._odd_credentials()
        kind = self._credential_kind(route)
        headers = list(self.random.choice(self.world.credentials[kind]))
        if kind in SESSION_KINDS and self._happens(0.8):
            headers.append(OWN_PAGE)
        return headers

    def _credential_kind(self, route: Route) -> str:
        kinds = CREDENTIALS_OF_LEVEL[route.access]
        if route.scope is not None and self._happens(0.2):
            kinds = (f"scope {route.scope}",)
        elif self._happens(0.15):
            kinds = tuple(self.world.credentials)
        kind = self.random.choice(kinds)
        # A request that ends a session must not end one that other requests use.
        return "ending session" if kind in SESSION_KINDS and route.method == "DELETE" else kind

    def _odd_credentials(self) -> list[Header]:
        """The service limits wrong credentials by their beginning, so each of them begins differently."""
        beginning = f"{self.random.getrandbits(64):x}"
        token = self.random.choice((*odd.ODD_JWTS, *odd.ODD_TICKETS, f"{beginning}-canary-4f1d"))
        scheme = self.random.choice(
            ("Bearer ", "bearer ", "Basic ", "", "Bearer", "Bearer  ", "Digest ")
        )
        bearer = (b"Authorization", (scheme + token).encode("latin-1"))
        ((server,), *_) = self.world.credentials["server"]
        session = f"connector_session={beginning}-canary-4f1d; {'; '.join(odd.ODD_TICKETS)}"
        return self.random.choice(
            (
                [bearer],
                [(b"X-API-Key", token.encode("latin-1"))],
                [(b"Cookie", session.encode("latin-1"))],
                [(b"Cookie", self.random.choice(odd.ODD_HEADER_VALUES))],
                [bearer, server],
                [server, server],
                [server, (b"X-API-Key", token.encode("latin-1"))],
                [(server[0], server[1] + b"x"), *self.world.credentials["user session"][0]],
            )
        )

    def _odd_headers(self) -> list[Header]:
        if self._happens(0.7):
            return []
        values = (*odd.ODD_HEADER_VALUES, f"http://{self.world.authority}".encode())
        return [
            (self.random.choice(odd.ODD_HEADER_NAMES), self.random.choice(values))
            for _ in range(self.random.randint(1, 4))
        ]


def _is_free_text(schema: odd.Json) -> bool:
    return schema.get("type") == "string" and "enum" not in schema


@cache
def json_schema(model: Model) -> odd.Json:
    return model.model_json_schema()
