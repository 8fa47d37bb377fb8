"""The clock of the service."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TICKS_AFTER_A_SUSPENSION = """
import time
from connector.clock import Clock
print(Clock().ticks() - time.clock_gettime(time.CLOCK_MONOTONIC))
"""
SUSPENDED_SECONDS = 1_000_000


def test_the_time_during_which_the_machine_is_suspended_counts() -> None:
    """A lease also ends while the machine is suspended. In a time namespace the boot clock is ahead of the
    monotonic clock, as after a suspension."""
    namespace = ("unshare", "--time", "--boottime", str(SUSPENDED_SECONDS))
    result = subprocess.run(
        [*namespace, sys.executable, "-c", TICKS_AFTER_A_SUSPENSION],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:  # Without root. CI runs as root, so there this is a failure.
        (pytest.fail if "CI" in os.environ else pytest.skip)(f"no time namespace: {result.stderr}")
    assert float(result.stdout) > SUSPENDED_SECONDS - 1000
