"""Posts on their way to TikTok, and how far each has come.

A post moves when it is looked at: it is done after `publish_polls` looks or `publish_seconds` of the
simulator's clock, whichever comes first, so a test needs neither patience nor luck.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Literal

from .nouns import Grant, Now, Settings
from .people import snowflake

State = Literal[
    "PROCESSING_UPLOAD",
    "PROCESSING_DOWNLOAD",
    "SEND_TO_USER_INBOX",
    "PUBLISH_COMPLETE",
    "FAILED",
]
Kind = Literal["DIRECT_POST", "INBOX_SHARE"]
LINK_SECONDS = 3_600


@dataclass
class Upload:
    """Bytes that arrive in order, in chunks of the announced size; the last takes the remainder."""

    size: int
    chunk: int
    chunks: int
    until: float
    token: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(16))
    received: int = 0

    @property
    def complete(self) -> bool:
        return self.received == self.size

    def expected(self) -> int:
        """How long the next chunk has to be."""
        left = self.size - self.received
        return left if self.received // self.chunk == self.chunks - 1 else self.chunk


@dataclass
class Post:
    id: str
    grant: Grant
    kind: Kind
    since: float
    public: bool = True
    upload: Upload | None = None
    state: State = "PROCESSING_DOWNLOAD"
    fail_reason: str | None = None
    looks: int = 0

    @property
    def final(self) -> bool:
        return self.state in ("SEND_TO_USER_INBOX", "PUBLISH_COMPLETE", "FAILED")

    @property
    def post_ids(self) -> list[int]:
        """As TikTok sends them: bare int64, beyond what a float can hold."""
        done = self.state == "PUBLISH_COMPLETE" and self.public
        return [int(snowflake("post", self.id))] if done else []


class Posts:
    def __init__(self, *, now: Now, settings: Settings) -> None:
        self._now = now
        self._settings = settings
        self._posts: dict[str, Post] = {}
        self._moving: dict[str, Post] = {}

    def begin(
        self,
        grant: Grant,
        kind: Kind,
        *,
        public: bool = True,
        upload: tuple[int, int, int] | None = None,
    ) -> Post:
        letter = "p" if kind == "DIRECT_POST" else "v"
        post = Post(f"{letter}_pub_{secrets.token_hex(12)}", grant, kind, self._now(), public)
        if upload is not None:
            size, chunk, chunks = upload
            post.upload = Upload(size, chunk, chunks, until=self._now() + LINK_SECONDS)
            post.state = "PROCESSING_UPLOAD"
        self._posts[post.id] = self._moving[post.id] = post
        return post

    def get(self, id: str) -> Post | None:
        return self._posts.get(id)

    def look(self, post: Post) -> bool:
        """Moves the post on; True when this very look found it finished."""
        if post.final or (post.upload and not post.upload.complete):
            return False
        post.looks += 1
        waited = self._now() - post.since >= self._settings.publish_seconds
        if not waited and post.looks < self._settings.publish_polls:
            return False
        self._finish(post)
        return True

    def sweep(self) -> list[Post]:
        """What the clock alone has finished."""
        limit = self._now() - self._settings.publish_seconds
        ripe = [
            post
            for post in self._moving.values()
            if post.since <= limit and (post.upload is None or post.upload.complete)
        ]
        for post in ripe:
            self._finish(post)
        return ripe

    def cancel(self, post: Post) -> bool:
        if post.final:
            return False
        self._finish(post, fail_reason="publish_cancelled")
        return True

    def _finish(self, post: Post, *, fail_reason: str | None = None) -> None:
        post.fail_reason = fail_reason or self._settings.publish_fail_reason
        if not post.grant.alive:
            post.fail_reason = "auth_removed"
        if post.fail_reason:
            post.state = "FAILED"
        else:
            post.state = "PUBLISH_COMPLETE" if post.kind == "DIRECT_POST" else "SEND_TO_USER_INBOX"
        self._moving.pop(post.id, None)
