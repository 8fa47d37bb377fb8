"""A business connects its TikTok accounts once, and stays connected.

The layers, from top to bottom. A package imports only packages below it; packages on one line do not
import each other. A package is imported through its `__init__` only.

    cli                                         commands
    app                                         builds every part from the settings, starts and stops them
    web | settings | maintenance                HTTP | the environment, read once | periodic work
    connections | webhooks | events | service_warnings   what callers do with connections | from TikTok | ours | problems
    oauth | tokens                              a code becomes a connection | a token stays valid
    identity | advertisers | metrics | audit    who is calling | which ad account | counters | who did what
    tiktok_client | outbound | store | journal  HTTP to TikTok | to customers | the database | the local log
    encryption | tiktok | attempts | schedule   tokens at rest | TikTok's protocol | one attempt | due times
    model                                       data classes
    concurrency                                 building blocks for asyncio
    errors | clock | origins                    exceptions | time | URL origins

`tiktok_simulator` is a separate package: it imports nothing of this one, and only `cli` imports it.
"""

__version__ = "0.1.0"
