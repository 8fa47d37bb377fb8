"""Continues, at the start, what the journal entries of dead processes began."""

from __future__ import annotations

import logging

from connector.errors import ConnectorError
from connector.journal import Journal
from connector.oauth import CodeExchange
from connector.tokens import TokenRecovery

log = logging.getLogger(__name__)


async def recover_journal(
    journal: Journal, *, token_recovery: TokenRecovery, code_exchange: CodeExchange
) -> None:
    """If the store does not answer, the flush is repeated before the first lease or code claim."""
    token_recovery.recover(journal.recovered)
    for flush in (token_recovery.flush, code_exchange.pending_grants.flush):
        try:
            await flush()
        except ConnectorError as error:
            log.warning("journal recovery postponed error=%s", error.code)
