"""Matches a new grant to one of a user's connections.

A grant is never matched to a connection by guessing, because one person's tokens would overwrite those
of another person. If TikTok does not return a user id, the grant is matched by a shared advertiser.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import count

ANONYMOUS_PREFIX = "advertiser:"
"""If TikTok did not return a user id, the TikTok user id of the connection begins like this."""


def is_anonymous(tiktok_user_id: str) -> bool:
    return tiktok_user_id.startswith(ANONYMOUS_PREFIX)


def match_user(
    advertisers_by_user: Mapping[str, Collection[str]],
    reported_user_id: str | None,
    granted: Collection[str],
) -> str:
    """Returns the TikTok user id of the connection to write, which may exist already or be new.

    `advertisers_by_user` has the advertisers of each existing connection. `granted` has the advertisers
    of the grant. A grant without a user id belongs to the only connection that shares an advertiser with
    the grant. If no connection or several connections share an advertiser, the grant becomes a new
    anonymous connection. A grant with a user id may belong to an anonymous connection. The connection
    then stays anonymous, because its tokens are bound to its anonymous id.
    """
    if reported_user_id is not None and reported_user_id in advertisers_by_user:
        return reported_user_id
    candidates = [
        tiktok_user_id
        for tiktok_user_id, advertisers in advertisers_by_user.items()
        if (reported_user_id is None or is_anonymous(tiktok_user_id))
        and not set(granted).isdisjoint(advertisers)
    ]
    if len(candidates) == 1:
        return candidates[0]
    return reported_user_id or _anonymous_user_id(advertisers_by_user, granted)


def _anonymous_user_id(
    advertisers_by_user: Mapping[str, Collection[str]], granted: Collection[str]
) -> str:
    """Returns the same id for the same grant. Never returns the id of a connection that shares no
    advertiser with the grant."""
    smallest = min(granted, key=lambda advertiser_id: (len(advertiser_id), advertiser_id))
    user_id = ANONYMOUS_PREFIX + smallest
    if user_id not in advertisers_by_user:
        return user_id
    if not set(granted).isdisjoint(advertisers_by_user[user_id]):
        return user_id
    numbered = (f"{user_id}.{number}" for number in count(2))
    return next(numbered_id for numbered_id in numbered if numbered_id not in advertisers_by_user)
