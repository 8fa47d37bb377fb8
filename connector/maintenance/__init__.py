"""Maintenance of the database: old rows are deleted periodically; an operator starts a key rotation."""

from __future__ import annotations

from .cleanup import CleanupJob
from .key_rotation import KeyRotation, RotationReport

__all__ = ["CleanupJob", "KeyRotation", "RotationReport"]
