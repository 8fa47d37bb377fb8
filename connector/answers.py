"""What an exchange answers, kept beside the code so that whoever posts it again gets the same.

Only what stays true however often one asks is kept: success, a spent code, a consent without any ad
account. Tokens are never part of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from .errors import CodeSpent, ConnectorError, NoAdvertisers, Said, TikTokError
from .model import Account, Intent
from .store import Answer

FINAL: dict[str, type[CodeSpent] | type[NoAdvertisers]] = {
    CodeSpent.code: CodeSpent,
    NoAdvertisers.code: NoAdvertisers,
}


def success(intent: Intent, accounts: Sequence[Account], chosen: Account | None) -> Answer:
    """`connection_id` is put in by the store: only there is it certain."""
    advertisers = [account for account in accounts if account.kind == "advertiser"]
    return {
        "success": True,
        "family": intent.family,
        "business_id": chosen and chosen.id,
        "account_id": chosen and chosen.name,
        "advertisers": [{"id": account.id, "name": account.name} for account in advertisers],
        "selection_required": bool(advertisers) and chosen is None,
        "message": "TikTok connected successfully",
    }


def is_final(error: ConnectorError) -> bool:
    return error.code in FINAL


def refusal(error: ConnectorError) -> Answer:
    said = error.said if isinstance(error, TikTokError) else None
    return {
        "refused": error.code,
        "message": error.message,
        "said": said
        and {"code": said.code, "message": said.message, "request_id": said.request_id},
    }


def replayed(answer: Answer) -> Answer:
    """The answer as it was given the first time, a refusal raised again."""
    kind = FINAL.get(answer.get("refused", ""))
    if kind is CodeSpent:
        raise CodeSpent(answer["message"], said=Said(**answer["said"]) if answer["said"] else None)
    if kind is not None:
        raise kind(answer["message"])
    return answer
