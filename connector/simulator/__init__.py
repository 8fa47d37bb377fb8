"""A TikTok of our own, written from TikTok's documents and not from our parsers.

It imports nothing of the house, so that its mistakes and ours cannot cancel out. Everything is
served from one origin: both API hosts, both consent pages, the upload host, and the controls under
`/_sim` that the real one lacks.

    app         all wiring, and the seam: build() and WORLD
    gate        what happens to every call: the log, latency, faults
    business    the grammar of business-api.tiktok.com; marketing, reporting, accounts speak it
    open_api    the grammar of open.tiktokapis.com; oauth, display, posting, upload speak it
    consent     the pages a person sees; pages draws them, words holds every text
    notices     signed webhooks
    controls    /_sim
    world       the state of it all; ledger, record, faults, people are its parts
"""

from .app import WORLD, build
from .nouns import App
from .world import World

__all__ = ["WORLD", "App", "World", "build"]
