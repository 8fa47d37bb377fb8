"""A grant on its way: written down, sealed, and read again by whoever goes on with it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from . import schedule
from .journal import Entry
from .model import Grant, Intent, Sealed, UserId
from .seal import Seal, text_of, tokens_in

GIVE_UP = timedelta(hours=24)


@dataclass(frozen=True)
class Presented:
    """One code, as somebody brought it. `key` names code and state without telling them."""

    key: str
    intent: Intent
    who: str
    began: float
    holder: str


@dataclass(frozen=True)
class Held:
    """A grant that is no connection yet, in the journal under `ticket` unless that refused it."""

    entry: Entry
    ticket: int | None
    times: int = 0
    again_at: datetime | None = None

    @property
    def key(self) -> str:
        return str(self.entry.fields["key"])

    @property
    def sealed(self) -> Sealed:
        return Sealed(self.entry.fields["sealed"])

    def is_due(self, now: datetime) -> bool:
        return self.again_at is None or self.again_at <= now

    def is_hopeless(self, now: datetime) -> bool:
        return now - datetime.fromisoformat(self.entry.fields["issued_at"]) > GIVE_UP

    def later(self, now: datetime) -> Held:
        wait = min(schedule.FIRST_RETRY * 2 ** min(self.times, 10), schedule.LAST_RETRY)
        return replace(self, times=self.times + 1, again_at=now + wait)


def noted(presented: Presented) -> Entry:
    """That a code is about to be spent: enough to free its claim should we die over it."""
    return Entry("code", {"key": presented.key, "holder": presented.holder})


def sealed(seal: Seal, grant: Grant, key: str) -> Sealed:
    tokens = text_of(grant.tokens)
    text = json.dumps({"tokens": tokens, "subject": grant.subject, "scopes": grant.scopes})
    return seal.seal_text(text, bound_to=f"codes/{key}")


def opened(seal: Seal, envelope: Sealed, key: str) -> Grant:
    kept = json.loads(seal.open_text(envelope, bound_to=f"codes/{key}"))
    return Grant(
        tokens=tokens_in(kept["tokens"]),
        subject=kept["subject"],
        scopes=tuple(kept["scopes"]),
    )


def written(seal: Seal, grant: Grant, presented: Presented) -> Entry:
    intent = presented.intent
    return Entry(
        "grant",
        {
            "key": presented.key,
            "sealed": sealed(seal, grant, presented.key),
            "user_id": intent.user_id,
            "family": intent.family,
            "redirect_uri": intent.redirect_uri,
            "issued_at": intent.issued_at.isoformat(),
            "who": presented.who,
        },
    )


def read_entry(entry: Entry, *, began: float, holder: str) -> tuple[Presented, Sealed]:
    fields = entry.fields
    intent = Intent(
        user_id=UserId(fields["user_id"]),
        issued_at=datetime.fromisoformat(fields["issued_at"]),
        family=fields["family"],
        redirect_uri=fields["redirect_uri"],
    )
    presented = Presented(fields["key"], intent, fields["who"], began, holder)
    return presented, Sealed(fields["sealed"])
