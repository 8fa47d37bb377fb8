"""Maintains the database: deletes old rows periodically, and rotates keys when an operator asks for it."""

from __future__ import annotations

from .cleanup import CleanupJob
from .key_rotation import KeyRotation, RotationReport

__all__ = ["CleanupJob", "KeyRotation", "RotationReport"]
