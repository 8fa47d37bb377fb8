"""Reads the environment and `.env` once.

`Settings.read` returns every setting as a typed value, or raises `InvalidSettings` with all problems,
each with its remedy. `SETTINGS` lists the settings, so that tests can compare the README and
`.env.example` with it. No problem repeats a value, because the value may be a secret.
"""

from __future__ import annotations

from .local_key_file import format_key_file, key_file, load_or_create_keys, read_key_file
from .problems import InvalidSettings, Problem
from .sources import OWN_PREFIXES, Setting
from .table import SETTINGS, Settings
from .tiktok_apps import build_families

__all__ = [
    "OWN_PREFIXES",
    "SETTINGS",
    "InvalidSettings",
    "Problem",
    "Setting",
    "Settings",
    "build_families",
    "format_key_file",
    "key_file",
    "load_or_create_keys",
    "read_key_file",
]
