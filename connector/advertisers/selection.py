"""Which advertiser is selected without asking the person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connector.model import Account


def select_automatically(
    accounts: Sequence[Account], *, previous: Iterable[str | None]
) -> Account | None:
    """The only advertiser, or a previously selected one that is still granted; None: the person selects.

    `previous` are advertiser ids, the most trusted first.
    """
    if len(accounts) == 1:
        return accounts[0]
    accounts_by_id = {account.id: account for account in accounts}
    return next(
        (accounts_by_id[id] for id in previous if id is not None and id in accounts_by_id), None
    )
