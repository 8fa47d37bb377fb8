"""Prints the packages that the service needs as a CycloneDX document (https://cyclonedx.org).

    python -m tools.sbom > sbom.json

The document is made from requirements/run.txt alone, so it needs no network, and equal files give equal
documents. A package that only some systems install has its marker as a property.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import connector

REQUIREMENTS = Path(__file__).parent.parent / "requirements" / "run.txt"
REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[\w,]+\])?==([^\s;]+)(?: ; (.+?))?(?: \\)?")


def components(requirements: str) -> Iterator[dict[str, Any]]:
    for line in requirements.splitlines():
        if line.startswith((" ", "#")) or not line:
            continue
        match = REQUIREMENT.fullmatch(line)
        if match is None:
            raise ValueError(f"not a pinned requirement: {line}")
        name, version, marker = match.groups()
        purl = f"pkg:pypi/{name}@{version}"
        component: dict[str, Any] = {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
        }
        if marker:
            component["properties"] = [{"name": "marker", "value": marker}]
        yield component


def document(requirements: str) -> dict[str, Any]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "name": "connector",
                "version": connector.__version__,
            }
        },
        "components": list(components(requirements)),
    }


if __name__ == "__main__":
    print(json.dumps(document(REQUIREMENTS.read_text()), indent=2))
