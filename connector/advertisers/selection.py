"""Selects an advertiser without asking the person, if only one choice is sensible."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connector.model import Account


def select_automatically(
    accounts: Sequence[Account], *, previous: Iterable[str | None]
) -> Account | None:
    """Returns the only advertiser, or a previously selected advertiser that is still granted.

    Returns None if the person must select. `previous` are advertiser ids, the most trusted first.
    """
    if len(accounts) == 1:
        return accounts[0]
    accounts_by_id = {account.id: account for account in accounts}
    return next(
        (accounts_by_id[id] for id in previous if id is not None and id in accounts_by_id), None
    )
