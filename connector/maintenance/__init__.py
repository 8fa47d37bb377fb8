"""Maintains the database.

At the start, completes the work of dead processes. Periodically, deletes old rows. When an operator asks for it, rotates
keys, erases a person, and makes and restores backups.
"""

from __future__ import annotations

from .backup import BackupFolder, BackupInfo, make_backup, restore_backup
from .cleanup import CleanupJob
from .erasure import ErasureReport, erase_person
from .journal_recovery import recover_journal
from .key_rotation import KeyRotation, RotationReport
from .periodic_work import run_periodic_work
from .rotation_step import MissingKeys, describe_step, find_missing_keys

__all__ = [
    "BackupFolder",
    "BackupInfo",
    "CleanupJob",
    "ErasureReport",
    "KeyRotation",
    "MissingKeys",
    "RotationReport",
    "describe_step",
    "erase_person",
    "find_missing_keys",
    "make_backup",
    "recover_journal",
    "restore_backup",
    "run_periodic_work",
]
