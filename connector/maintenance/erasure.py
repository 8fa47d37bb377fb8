"""Erases a person: revokes their tokens at TikTok, and then deletes everything about them.

The connections are disconnected first. After that no process can refresh or read their tokens. A grant that is
only in this process's journal becomes a connection before that, or is removed from the journal. Otherwise
the next start would restore the grant.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector.connections import ConnectionService, Scope
from connector.model import UserId
from connector.oauth import CodeExchange
from connector.store import Store


@dataclass(frozen=True)
class ErasureReport:
    connections: int
    not_revoked: tuple[str, ...]
    """The families whose tokens TikTok did not confirm to have revoked."""


async def erase_person(
    user_id: UserId,
    *,
    actor: str,
    store: Store,
    connections: ConnectionService,
    code_exchange: CodeExchange,
) -> ErasureReport:
    await code_exchange.retry_pending()
    await code_exchange.pending_grants.discard(user_id)
    not_revoked = await _disconnect_all(user_id, connections, actor=actor)
    erased = await store.erase_user(user_id)
    return ErasureReport(len(erased), not_revoked)


async def _disconnect_all(
    user_id: UserId, connections: ConnectionService, *, actor: str
) -> tuple[str, ...]:
    scope = Scope.user(user_id)
    not_revoked = []
    async for connection in connections.list_connections(scope=scope):
        disconnected = await connections.disconnect(connection.id, scope=scope, actor=actor)
        if disconnected.due_at is not None:  # The revocation would be retried.
            not_revoked.append(connection.family)
    return tuple(dict.fromkeys(not_revoked))
