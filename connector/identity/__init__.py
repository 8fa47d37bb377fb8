"""Turns the credentials of a request into a `Principal`, and issues tickets and session cookies.

A request without credentials is anonymous (`None`). Invalid credentials are always rejected with 401.
Exception: a public route treats the Supabase project's public key as no credentials
(`is_public_project_key`), because supabase-js sends that key while no user is signed in.
"""

from __future__ import annotations

from .authenticator import Authenticator
from .jwks import JwksCache
from .supabase_tokens import is_public_project_key
from .tickets import TICKET_LIFETIME, Ticket

__all__ = ["TICKET_LIFETIME", "Authenticator", "JwksCache", "Ticket", "is_public_project_key"]
