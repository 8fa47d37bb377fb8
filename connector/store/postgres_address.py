"""The parts of a PostgreSQL address that decide how a connection is encrypted.

asyncpg's default is `prefer`: if the server answers that it has no TLS, asyncpg sends the password
unencrypted. Anybody who can change the traffic can give this answer. So a connection to a host on the
internet uses at least `require`.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from connector.origins import is_public_host

STRONG_MODES = ("require", "verify-ca", "verify-full")

PRISMA_PARAMETERS = {"pgbouncer", "connection_limit", "pool_timeout"}
"""Supabase's copyable addresses contain these parameters, which PostgreSQL does not know."""


def weak_ssl_mode(address: str) -> str | None:
    """Returns the `sslmode` of an address on the internet if the mode may send a password unencrypted."""
    mode = _ssl_mode(address)
    return mode if mode and _is_public(address) and mode not in STRONG_MODES else None


def address_for_asyncpg(address: str) -> str:
    """Returns the address without Prisma's parameters, and with TLS for hosts on the internet."""
    parts = urlsplit(address)
    query = parse_qsl(parts.query)
    parameters = [(name, value) for name, value in query if name not in PRISMA_PARAMETERS]
    if _is_public(address) and _ssl_mode(address) is None:
        parameters.append(("sslmode", "require"))
    if parameters == query:
        return address
    return parts._replace(query=urlencode(parameters)).geturl()


def _ssl_mode(address: str) -> str | None:
    """asyncpg uses the last value, and ignores empty values."""
    return dict(parse_qsl(urlsplit(address).query)).get("sslmode")


def _is_public(address: str) -> bool:
    """An address may list several hosts, and each of them may get the password."""
    hosts = urlsplit(address).netloc.rpartition("@")[2].split(",")
    return any(is_public_host(_without_port(unquote(host))) for host in hosts)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
