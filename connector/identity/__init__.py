"""Turns the credentials of a request into a `Principal`, and issues tickets and session cookies.

An API key has a name and scopes (`ApiKey`); a user may use only their own connections. A request without
credentials is anonymous (`None`). Invalid credentials are always rejected with 401.
Exception: a public route treats the Supabase project's public key as no credentials
(`is_public_project_key`), because supabase-js sends that key while no user is signed in.
"""

from __future__ import annotations

from .api_keys import CREATE_API_KEY, ApiKey, InvalidApiKey
from .authenticator import Authenticator
from .credential_limiter import CredentialLimiter
from .issuer_tokens import IssuerTokens, JwtIssuer
from .jwks import JwksCache
from .sessions import BrowserSessions
from .supabase_tokens import is_public_project_key
from .tickets import TICKET_LIFETIME, Ticket

__all__ = [
    "CREATE_API_KEY",
    "TICKET_LIFETIME",
    "ApiKey",
    "Authenticator",
    "BrowserSessions",
    "CredentialLimiter",
    "InvalidApiKey",
    "IssuerTokens",
    "JwksCache",
    "JwtIssuer",
    "Ticket",
    "is_public_project_key",
]
