"""`connector keys new` and `connector keys rotate`."""

from __future__ import annotations

import asyncio
import secrets
from argparse import Namespace

from connector.app import Service
from connector.clock import Clock
from connector.encryption import EncryptionKey
from connector.maintenance import KeyRotation, RotationReport

from .bootstrap import build_service
from .terminal import print_error, print_result, progress_bar

MAX_LISTED = 20


def generate_key(options: Namespace) -> int:
    """The id contains the date, so that an operator sees which of two keys is older."""
    id = f"k{Clock().now():%Y%m%d}-{secrets.token_hex(3)}"
    print_result(EncryptionKey.generate(id).format())
    return 0


def rotate_keys(options: Namespace) -> int:
    report = asyncio.run(_rotate(build_service()))
    undecryptable = report.undecryptable
    print_result(
        f"{report.rows} re-encrypted under the first key, "
        f"{len(undecryptable)} could not be decrypted."
    )
    for row, reason in list(undecryptable.items())[:MAX_LISTED]:
        print_error(f"{row}: {reason}")
    if len(undecryptable) > MAX_LISTED:
        print_error(f"... and {len(undecryptable) - MAX_LISTED} more.")
    if report.old_key_in_use:
        print_error(
            "A running service still encrypts under another key: restart it with the same first key in "
            "CONNECTOR_ENCRYPTION_KEYS, then run this command again."
        )
    if undecryptable or report.old_key_in_use:
        return 1
    print_error(
        "Remove the old keys later: open links and consents need them for an hour (or for "
        "CONNECTOR_STATE_MINUTES, if that is longer) after the last restart, and browser sessions for eight."
    )
    return 0


async def _rotate(service: Service) -> RotationReport:
    """Opens the whole service, because the journal of a dead process contains ciphertexts too. When the
    journal is opened, they are recovered into the database."""
    rotation = KeyRotation(store=service.store, cipher=service.cipher)
    with progress_bar("Re-encrypting") as progress:
        async with service:
            progress.set_total(await rotation.count_outdated())
            return await rotation.run(on_progress=progress.advance)
