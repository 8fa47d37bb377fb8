"""The SBOM lists exactly the packages of requirements/run.txt."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tools.sbom import document

from .supabase_stack import ROOT

RUN = (ROOT / "requirements" / "run.txt").read_text()


def test_the_sbom_lists_each_required_package_once_with_its_version() -> None:
    command = [sys.executable, "-m", "tools.sbom"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = [f"{each['name']}=={each['version']}" for each in json.loads(printed)["components"]]
    assert sorted(listed) == sorted(re.findall(r"^[\w.-]+==[^\s;]+", RUN, re.MULTILINE))
    assert len(set(listed)) == len(listed) > 20


def test_a_package_of_some_systems_keeps_its_marker() -> None:
    [component] = document("uvloop==1.0 ; sys_platform != 'win32' \\\n    --hash=sha256:00\n")[
        "components"
    ]
    assert component["purl"] == "pkg:pypi/uvloop@1.0"
    assert component["properties"] == [{"name": "marker", "value": "sys_platform != 'win32'"}]


def test_a_requirement_without_a_version_is_refused() -> None:
    with pytest.raises(ValueError, match="not a pinned requirement: aiohttp"):
        document("aiohttp>=3\n")
