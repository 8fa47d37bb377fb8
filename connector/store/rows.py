"""What goes into the memory and comes out of it that is no noun of the house."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pydantic import Field

from connector.model import Account, Attempt, Failure, Row, Sealed, Status, Time, UserId

Answer = dict[str, Any]


class Known(Row):
    """A connection the person already has in the family they are connecting."""

    id: str
    subject: str
    chosen: Account | None = None


class Claim(Row):
    """A code in hand: ours to exchange, or the answer somebody else already got for it."""

    mine: bool
    sealed: Sealed | None = None
    answer: Answer | None = None
    known: tuple[Known, ...] = ()
    earlier: str | None = None


class Connected(Row):
    """What a grant came to. `id` is for a new row; an existing one keeps its own."""

    key: str
    id: str
    user_id: UserId
    family: str
    subject: str
    scopes: tuple[str, ...]
    accounts: tuple[Account, ...]
    chosen: Account | None
    sealed: Sealed
    expires_at: Time | None
    refresh_expires_at: Time | None
    due_at: Time | None
    account_token: str | None
    answer: Answer
    attempt: Attempt
    at: Time


class Outcome(Row):
    """What one flight brought home. `sealed` None leaves the tokens as they are."""

    id: str
    version: int
    holder: str
    status: Status
    sealed: Sealed | None = None
    expires_at: Time | None = None
    refresh_expires_at: Time | None = None
    verified_at: Time | None = None
    failure: Failure | None = None
    due_at: Time | None = None
    accounts: tuple[Account, ...] | None = None
    forget: bool = False
    event: str | None = None
    attempt: Attempt | None = None

    @cached_property
    def written(self) -> dict[str, Any]:
        """As JSON: the journal needs it first, then the store."""
        return self.model_dump(mode="json")


class Saved(Row):
    """The answer as it was kept: it names the connection that was there before."""

    key: str
    answer: Answer


class Id(Row):
    id: str


class Tidied(Row):
    unfinished: bool


class Pulse(Row):
    """How often something ended somehow in one hour, counted from the first."""

    hour: int
    what: str
    verdict: str
    times: int


class Census(Row):
    family: str
    status: Status
    times: int


class SealedRow(Row):
    key: str
    bond: str
    sealed: str = Field(repr=False)
