"""The repository has short files, a correct map of packages, and test folders that mirror the packages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import connector

from .supabase_stack import ROOT

PACKAGE = ROOT / "connector"
MAX_LINES = 300
MAX_TOP_LEVEL_MODULES = 14
SOURCE_FOLDERS = ("connector", "tiktok_simulator", "sql", "tests", "bench", "tools")
SOURCE_SUFFIXES = {".py", ".sql", ".js", ".css"}

TESTS_OF_SEVERAL_PACKAGES = {"browser", "docs", "end_to_end", "samples", "simulator"}
"""Folders of tests that belong to no package of `connector`."""

Layers = list[set[str]]


def source_files() -> list[Path]:
    return [
        path
        for folder in SOURCE_FOLDERS
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in SOURCE_SUFFIXES and "node_modules" not in path.parts
    ]


def packages() -> set[str]:
    return {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def top_level_modules() -> set[str]:
    return {path.stem for path in PACKAGE.glob("*.py")}


def layers_of_the_map() -> Layers:
    """Parses the indented block of the docstring: names separated by `|`, then a description after two spaces."""
    block = [line.strip() for line in (connector.__doc__ or "").splitlines() if line[:4] == "    "]
    return [set(re.split(r"\s{2,}", line)[0].split(" | ")) for line in block]


def layers_of_the_contract() -> Layers:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [contract] = [item for item in settings["contracts"] if item["type"] == "layers"]
    assert contract["containers"] == ["connector"]
    assert contract["exhaustive"]
    layers = [set(layer.split(" | ")) - {"__main__"} for layer in contract["layers"]]
    return [layer for layer in layers if layer]


@pytest.mark.parametrize("folder", SOURCE_FOLDERS)
def test_no_source_file_is_longer_than_the_limit(folder: str) -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in source_files()
        if path.is_relative_to(ROOT / folder)
    }
    assert lengths
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


def test_the_package_has_at_most_14_top_level_modules() -> None:
    assert len(top_level_modules()) <= MAX_TOP_LEVEL_MODULES


def test_the_map_of_packages_names_every_package_and_module_once() -> None:
    names = [name for layer in layers_of_the_map() for name in layer]
    assert sorted(names) == sorted(packages() | top_level_modules() - {"__init__", "__main__"})


def test_the_map_of_packages_equals_the_import_contract() -> None:
    assert layers_of_the_map() == layers_of_the_contract()


def test_every_package_has_a_folder_of_tests_with_its_name() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert packages() <= folders


def test_every_folder_of_tests_belongs_to_a_package() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} <= packages() | TESTS_OF_SEVERAL_PACKAGES
