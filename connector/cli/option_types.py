"""The types of options that are numbers."""

from __future__ import annotations

import argparse


def positive_number(text: str) -> int:
    return _number_between(text, 1, 10_000_000)


def number(text: str) -> int:
    return _number_between(text, 0, 2**53)


def port(text: str) -> int:
    return _number_between(text, 0, 65_535)


def _number_between(text: str, minimum: int, maximum: int) -> int:
    if not (text.isascii() and text.isdigit() and minimum <= int(text) <= maximum):
        raise argparse.ArgumentTypeError(f"not a whole number from {minimum} to {maximum}")
    return int(text)
