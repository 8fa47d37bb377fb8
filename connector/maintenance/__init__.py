"""Maintains the database: deletes old rows periodically; rotates keys and erases a person when an operator
asks for it."""

from __future__ import annotations

from .cleanup import CleanupJob
from .erasure import Erasure, ErasureReport
from .key_rotation import KeyRotation, RotationReport
from .rotation_step import MissingKeys, describe_step, find_missing_keys

__all__ = [
    "CleanupJob",
    "Erasure",
    "ErasureReport",
    "KeyRotation",
    "MissingKeys",
    "RotationReport",
    "describe_step",
    "find_missing_keys",
]
