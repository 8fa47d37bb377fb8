"""Re-encrypts every ciphertext in the store under the first key.

The rotation can run beside a service: a row is replaced only if it still has the ciphertext that was
read, so the rotation never overwrites a token that was refreshed at the same time. The rotation repeats
until one whole pass has found no ciphertext under an old key. Rows that cannot be decrypted stay unchanged
and are reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from connector.encryption import (
    DecryptionFailed,
    TokenCipher,
    connection_associated_data,
    endpoint_associated_data,
    is_encrypted,
    key_id_of,
    pending_grant_associated_data,
    user_account_associated_data,
)
from connector.model import Ciphertext, UserId
from connector.store import EncryptedRow, Replacement, Store

ENCRYPTED_TABLES = ("connections", "user_accounts", "codes", "endpoints")
MAX_PASSES = 10
MAX_COUNTED_PAGES = 50
"""For each table, so that `connector check` takes seconds."""


@dataclass
class RotationReport:
    rows: int = 0
    undecryptable: dict[str, str] = field(default_factory=dict)
    """The reason for each `<table>/<row key>`."""

    old_key_in_use: bool = False
    """True if each pass found new ciphertexts under an old key: another process still uses that key."""


class KeyRotation:
    def __init__(self, *, store: Store, cipher: TokenCipher) -> None:
        self._store = store
        self._cipher = cipher

    async def count_outdated(self) -> int:
        return sum([len(rows) async for _, rows in self._outdated_rows()])

    async def run(self, *, on_progress: Callable[[int], None]) -> RotationReport:
        """Calls `on_progress` with the number of rows that were processed since the last call."""
        report = RotationReport()
        for _ in range(MAX_PASSES):
            report.undecryptable.clear()
            rows_before = report.rows
            async for table_name, rows in self._outdated_rows():
                replacements = self._reencrypt(table_name, rows, report.undecryptable)
                if replacements:
                    await self._store.replace_ciphertexts(table_name, replacements)
                    report.rows += len(replacements)
                on_progress(len(rows))
            if report.rows == rows_before:
                return report
        report.old_key_in_use = True
        return report

    async def count_by_key(self) -> Counter[str]:
        """Counts the first ciphertexts of each table by the id of their key."""
        counts: Counter[str] = Counter()
        for table_name in ENCRYPTED_TABLES:
            after_key = None
            for _ in range(MAX_COUNTED_PAGES):
                rows = await self._store.list_ciphertexts(table_name, after_key=after_key)
                if not rows:
                    break
                after_key = rows[-1].row_key
                encrypted = [row.ciphertext for row in rows if is_encrypted(row.ciphertext)]
                counts.update(map(key_id_of, encrypted))
        return counts

    async def sample_undecryptable(self) -> dict[str, str]:
        """Tries the first rows of each table. Returns the reason for each row that cannot be decrypted."""
        undecryptable: dict[str, str] = {}
        for table_name in ENCRYPTED_TABLES:
            rows = await self._store.list_ciphertexts(table_name, after_key=None)
            encrypted = [row for row in rows if is_encrypted(row.ciphertext)]
            self._reencrypt(table_name, encrypted, undecryptable)
        return undecryptable

    async def _outdated_rows(self) -> AsyncIterator[tuple[str, list[EncryptedRow]]]:
        for table_name in ENCRYPTED_TABLES:
            after_key = None
            while rows := await self._store.list_ciphertexts(table_name, after_key=after_key):
                after_key = rows[-1].row_key
                yield table_name, [row for row in rows if self._is_outdated(row.ciphertext)]

    def _is_outdated(self, text: str) -> bool:
        """Returns False for plain text: `user_accounts` has plain tokens if the operator configured this."""
        return is_encrypted(text) and not self._cipher.uses_first_key(text)

    def _reencrypt(
        self, table_name: str, rows: Sequence[EncryptedRow], undecryptable: dict[str, str]
    ) -> list[Replacement]:
        replacements: list[Replacement] = []
        for row in rows:
            associated_data = _associated_data(table_name, row)
            try:
                text = self._cipher.decrypt(
                    Ciphertext(row.ciphertext), associated_data=associated_data
                )
            except DecryptionFailed as error:
                undecryptable[f"{table_name}/{row.row_key}"] = error.detail
                continue
            new = self._cipher.encrypt(text, associated_data=associated_data)
            replacements.append(Replacement(row_key=row.row_key, old=row.ciphertext, new=new))
        return replacements


def _associated_data(table_name: str, row: EncryptedRow) -> str:
    if table_name == "codes":
        return pending_grant_associated_data(row.row_key)
    if table_name == "endpoints":
        return endpoint_associated_data(row.row_key)
    if table_name == "user_accounts":
        return user_account_associated_data(UserId(row.row_key))
    assert row.user_id is not None  # noqa: S101
    assert row.family is not None  # noqa: S101
    assert row.tiktok_user_id is not None  # noqa: S101
    return connection_associated_data(row.user_id, row.family, row.tiktok_user_id)
