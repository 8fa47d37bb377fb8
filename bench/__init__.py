"""Benchmarks: each module measures one subject, prints one table and keeps it in RESULTS.md.

    make bench                      all of them, under ten minutes
    python -m bench.exchange        one of them, under two

The rules that hold here: the service is a real process, `connector serve`, set up by its
environment. What stands around it (TikTok, whoever asks, the peer, the databases) are processes of
their own, as lean as we could make them, all on loopback. Candidates take turns within each round,
and what is shown is the median over the rounds. Where a goal is missed, it says so.
"""
