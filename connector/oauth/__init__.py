"""Turns an authorization code into a connection.

A code can be redeemed once, and a received grant must not be lost. Each step is therefore recorded before
the next step starts:

- The code is claimed in the store. The claim is a write, so a successful claim proves that the store works
  before the code is sent. Every other POST of the same code and state finds the reply to the first POST.
- The claim is written to the journal, and the journal reserves space for the grant. Then the code is
  redeemed and the grant is journaled. All other steps follow. After a crash before the grant was
  journaled, the process that adopts the journal releases the claim. After a later crash, that process
  continues with the grant.
- A grant stays in the journal until the grant is a connection or can never become a connection. While
  TikTok does not return the advertisers, the grant is also stored with the claim. A repeated POST
  continues with the stored grant. If no POST arrives, this process continues with the grant. While the
  store is unreachable, no other code is claimed before the store has the grant.
- Only a permanent result is stored as the reply: success, a used code, a used state, no ad account, or a
  newer grant. A transient error or a bug in the service releases the claim; a received grant stays stored and is retried.
"""

from __future__ import annotations

from .connection_creator import ConnectionCreator
from .exchange import CONNECTIONS_FOR_EXCHANGES, CodeExchange
from .replies import SuccessReply
from .state import MAX_STATE_LENGTH, OAuthStates

__all__ = [
    "CONNECTIONS_FOR_EXCHANGES",
    "MAX_STATE_LENGTH",
    "CodeExchange",
    "ConnectionCreator",
    "OAuthStates",
    "SuccessReply",
]
