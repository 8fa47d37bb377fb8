"""Names the step of a key rotation that the keys of one process and the stored tokens are at.

1. The new key is added at the end of the list on every replica: all can decrypt what one will encrypt.
2. The new key is moved to the front on every replica: it encrypts and signs from now on.
3. `connector keys rotate` re-encrypts the stored tokens.
4. The old key is removed on every replica.

Each step ends when every replica has restarted with its list. So no replica ever gets a token, a state or
a ticket of a key that it does not have. The list does not say which key is the new one, so a sentence names
both cases; the id of a key from `connector keys new` contains its date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class MissingKeys:
    message: str
    remedy: str


def find_missing_keys(key_ids: Sequence[str], counts: Mapping[str, int]) -> MissingKeys | None:
    """`counts` has the number of stored tokens for each id of a key."""
    missing = sorted(set(counts) - set(key_ids))
    if not missing:
        return None
    names = ", ".join(missing)
    return MissingKeys(
        f"{sum(counts[key_id] for key_id in missing)} stored tokens are encrypted under {names}, which this "
        "list lacks. This process can neither return nor refresh them.",
        f"Add {names} at the end of the list here and restart. If it is the new key of a rotation, step 1 "
        "is not finished on this replica. If it is an old key, it was removed (step 4) before "
        "`connector keys rotate` (step 3) had finished.",
    )


def describe_step(key_ids: Sequence[str], counts: Mapping[str, int]) -> str | None:
    """Returns a sentence for the operator, or None while no rotation is going on."""
    first, *others = key_ids
    if not others:
        return None
    used = [key_id for key_id in others if counts.get(key_id)]
    if not used:
        names = ", ".join(others)
        return (
            f"all stored tokens are under {first}, the first key. If {names} is the new key, step 1 of the "
            "rotation is done here: when every replica has it at the end, move it to the front everywhere "
            f"(step 2). If {names} is the old key, step 3 is done: an hour after {first} became first on "
            "the last replica, remove the old key everywhere (step 4)."
        )
    names = ", ".join(f"{counts[key_id]} under {key_id}" for key_id in used)
    return (
        f"{counts.get(first, 0)} stored tokens are under {first}, the first key, and {names}. If {first} is "
        "the new key, step 2 of the rotation is done here: when it is first on every replica, run "
        f"`connector keys rotate` (step 3). If {first} is the old key, another replica is at step 2: move "
        "the new key to the front here too."
    )
