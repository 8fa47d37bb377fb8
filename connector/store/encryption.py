"""Lists and replaces the ciphertexts of all tables, for the rotation of an encryption key."""

from __future__ import annotations

from collections.abc import Sequence

from .operations import PAGE_SIZE, Operations, parse_rows
from .records import EncryptedRow, Replacement


class CiphertextOperations(Operations):
    async def list_ciphertexts(
        self, table_name: str, *, after_key: str | None
    ) -> list[EncryptedRow]:
        rows = await self._call(
            "list_ciphertexts", table_name=table_name, after_key=after_key, max_rows=PAGE_SIZE
        )
        return parse_rows(EncryptedRow, rows)

    async def replace_ciphertexts(
        self, table_name: str, replacements: Sequence[Replacement]
    ) -> None:
        """Replaces ciphertexts. A row that no longer has the old ciphertext stays unchanged."""
        ordered = sorted(replacements, key=lambda replacement: replacement.row_key)
        await self._call(
            "replace_ciphertexts",
            table_name=table_name,
            replacements=[replacement.model_dump() for replacement in ordered],
        )
