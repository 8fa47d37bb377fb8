"""Benchmarks: each module measures one subject, prints one table and stores it in RESULTS.md.

    make bench                      all of them, under ten minutes
    python -m bench.exchange        one of them, under two

Rules of this package: the service is a real process, `connector serve`, configured by its environment.
TikTok, the load generator, the peer and the databases are processes of their own, as small as possible,
all on loopback. Candidates take turns within each round, and the tables show the median over the rounds.
A report says so when a goal is missed.
"""
