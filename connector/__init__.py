"""A business connects its TikTok accounts once, and stays connected.

The house, floor by floor; nothing imports upward, and two rooms on one line do not import each
other:

    roof     cli                                  people at a terminal
             app                                  the composition root: all wiring, nothing else
    3rd      web | settings                       HTTP in, HTTP out | the environment, read once
    2nd      exchange | connections               the work, one subject each
             keeper | intent | identity           the life of a token | the state | who is asking
    1st      tiktok | transport | store | journal what TikTok speaks | the wire | memory | black box
             seal                                 tokens at rest
    ground   model | wire                         nouns | one HTTP exchange as data
             errors | clock                       what can go wrong | what time it is
    garden   simulator                            a TikTok of our own; imports nothing of the house
"""

__version__ = "0.1.0"
