"""The password for a PostgreSQL server on the internet is never sent unencrypted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr

from connector.errors import StoreUnreachable
from connector.store import Store, weak_ssl_mode
from connector.store.postgres import Postgres
from connector.store.postgres_address import address_for_asyncpg
from tests.raw_servers import tcp_server

from .conftest import open_store

SSL_REQUEST = bytes([0, 0, 0, 8, 4, 210, 22, 47])
PASSWORD = "canary-password"
PUBLIC_HOST = "db.ref.supabase.co"


@dataclass
class ServerWithoutTls:
    """Answers that it has no TLS, and then asks for the password."""

    port: int = 0
    received: bytearray = field(default_factory=bytearray)

    async def respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received += await reader.readexactly(len(SSL_REQUEST))
        writer.write(b"N")
        self.received += await reader.read(4096)
        ask_for_password = b"R" + (8).to_bytes(4, "big") + (3).to_bytes(4, "big")
        writer.write(ask_for_password)
        self.received += await reader.read(4096)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ServerWithoutTls]:
    """Every host name leads to this server."""
    server = ServerWithoutTls()
    resolve = socket.getaddrinfo

    def resolve_to_loopback(host: Any, *args: Any, **options: Any) -> Any:
        return resolve("127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_to_loopback)
    async with tcp_server(server.respond) as url:
        server.port = int(url.rpartition(":")[2])
        yield server


async def error_detail(address: str) -> str:
    async with open_store(Postgres(SecretStr(address))) as store:
        return await _detail(store)


async def _detail(store: Store) -> str:
    with pytest.raises(StoreUnreachable) as caught:
        await store.require_schema()
    return caught.value.detail


@pytest.mark.parametrize("query", ["", "?sslmode=", "?application_name=x", "?sslmode=require"])
async def test_a_server_on_the_internet_without_tls_does_not_get_the_password(
    server: ServerWithoutTls, query: str
) -> None:
    address = f"postgresql://u:{PASSWORD}@{PUBLIC_HOST}:{server.port}/postgres{query}"
    assert "password was not sent" in await error_detail(address)
    assert bytes(server.received) == SSL_REQUEST


async def test_one_host_on_the_internet_among_several_hosts_makes_tls_necessary(
    server: ServerWithoutTls,
) -> None:
    hosts = f"127.0.0.1:{server.port},{PUBLIC_HOST}:{server.port}"
    await error_detail(f"postgresql://u:{PASSWORD}@{hosts}/postgres")
    assert PASSWORD.encode() not in server.received


async def test_a_server_on_this_machine_may_have_no_tls(server: ServerWithoutTls) -> None:
    await error_detail(f"postgresql://u:{PASSWORD}@127.0.0.1:{server.port}/postgres")
    assert PASSWORD.encode() in server.received


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_a_configured_mode_is_kept(mode: str) -> None:
    address = f"postgresql://u:p@{PUBLIC_HOST}/db?sslmode={mode}&sslrootcert=ca.crt"
    assert address_for_asyncpg(address) == address
    assert weak_ssl_mode(address) is None


@pytest.mark.parametrize(
    "host",
    [PUBLIC_HOST, "8.8.8.8", "[2001:4860:4860::8888]:5432", "[::ffff:8.8.8.8]", "10.0.0.1,x.io"],
)
@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "unknown"])
def test_a_mode_that_may_send_a_password_to_the_internet_unencrypted_is_weak(
    host: str, mode: str
) -> None:
    assert weak_ssl_mode(f"postgresql://u:p@{host}/db?sslmode=require&sslmode={mode}") == mode


@pytest.mark.parametrize("host", ["localhost", "db", "10.0.0.1:6543", "[::1]:5432", "db.internal"])
def test_a_private_host_may_be_used_without_tls(host: str) -> None:
    address = f"postgresql://u:p@{host}/db"
    assert weak_ssl_mode(f"{address}?sslmode=disable") is None
    assert address_for_asyncpg(address) == address
