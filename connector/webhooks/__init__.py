"""Receives TikTok's webhooks.

A webhook is confirmed only after it is stored together with its effect. Every other response makes TikTok send
the webhook again, for up to 72 hours. Public: `WebhookReceiver`, and the addresses at which TikTok reaches it.
"""

from __future__ import annotations

from .receiver import WEBHOOK_PATH, WebhookReceiver

__all__ = ["WEBHOOK_PATH", "WebhookReceiver"]
