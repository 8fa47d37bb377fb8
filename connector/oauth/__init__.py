"""From an authorization code to a connection.

A code can be redeemed once, and a grant that was received must not be lost. Each step is therefore
recorded before the next one starts:

- The code is claimed in the store. The claim is a write, so it proves that the store works before the
  code is sent, and every other POST of the same code and state finds the reply to the first one.
- The claim is noted in the journal and space is reserved there; then the code is redeemed and the grant
  is journaled; only then does anything else happen. After a crash before the grant was journaled, the
  next start releases the claim. After a later crash, the next start continues with the grant.
- A grant stays in the journal until it is a connection or can never become one. While TikTok does not
  return the advertisers, the grant is also stored with the claim: a repeated POST continues with it, and
  without one this process does. While the store is unreachable, no other code is claimed before the
  store has the grant.
- Only a permanent result is stored as the reply: success, a spent code, no ad account. A transient error
  or a bug releases the claim; if a grant was received, it is kept and retried.
"""

from __future__ import annotations

from .connection_creator import ConnectionCreator
from .exchange import CodeExchange
from .replies import SuccessReply
from .state import MAX_STATE_LENGTH, OAuthStates

__all__ = ["MAX_STATE_LENGTH", "CodeExchange", "ConnectionCreator", "OAuthStates", "SuccessReply"]
