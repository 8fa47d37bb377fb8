"""The documents name every setting, route and error code, and every link has a target."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector import errors
from connector.cli.parser import parse_arguments
from connector.maintenance import cleanup
from connector.service_warnings import WARNING_KINDS
from connector.settings.table import SETTINGS
from connector.web import ROUTES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SECURITY = ROOT / "SECURITY.md"
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))


def _error_classes(root: type[errors.ConnectorError]) -> Iterator[type[errors.ConnectorError]]:
    yield root
    for child in root.__subclasses__():
        yield from _error_classes(child)


def _anchors(page: Path) -> set[str]:
    """Returns the named anchors of a page, and the anchors that GitHub derives from its headings."""
    text = page.read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    derived = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return derived | set(re.findall(r'<a name="([^"]+)">', text))


def test_every_route_is_in_the_readme() -> None:
    paths = {route.canonical for route in ROUTES} - {"/"}
    missing = {path for path in paths if f"{path}`" not in README and f"{path} " not in README}
    assert not missing


def test_the_readme_says_who_may_call_each_route() -> None:
    who = {"public": "public", "selection": "user, server", "user": "user, server"}
    rows = [line.split(" | ") for line in README.splitlines() if re.match(r"\| `[A-Z]+ /", line)]
    documented = {
        address: row[1] for row in rows for address in re.findall(r"`([A-Z]+ [^`]+)`", row[0])
    }
    for route in ROUTES:
        address = f"{route.method} {route.canonical}"
        if address in documented:
            level = route.access.value
            assert documented[address] == who.get(level, level), address


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: str(setting.name))
def test_every_setting_is_in_the_readme_with_its_default(setting) -> None:  # type: ignore[no-untyped-def]
    lines = [line for line in README.splitlines() if f"`{setting.name}`" in line]
    assert lines
    if setting.default and "{" not in setting.default:
        assert any(f"`{setting.default}`" in line for line in lines)


def test_every_error_code_is_in_the_error_page_with_its_status() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    for error_class in _error_classes(errors.ConnectorError):
        assert f"| {error_class.status} | `{error_class.code}` |" in page, error_class.__name__


def test_every_kind_of_warning_is_explained() -> None:
    pages = "".join((ROOT / "docs" / name).read_text() for name in ("supabase.md", "running.md"))
    assert [kind for kind in WARNING_KINDS if f"| `{kind}` |" not in pages] == []


def test_every_exception_is_in_the_tree_of_the_errors_docstring() -> None:
    tree = errors.__doc__ or ""
    for error_class in _error_classes(errors.ConnectorError):
        if error_class.__module__ == errors.__name__:
            assert re.search(rf"\b{error_class.__name__}\b", tree), error_class.__name__


@pytest.mark.parametrize(
    "page",
    sorted([ROOT / "README.md", SECURITY, *(ROOT / "docs").rglob("*.md")]),
    ids=lambda p: str(p.name),
)
def test_every_link_between_documents_has_a_target(page: Path) -> None:
    for path, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", page.read_text()):
        target = page.parent / path if path else page
        assert target.exists(), path
        if anchor:
            assert anchor in _anchors(target), f"{path}#{anchor}"


@pytest.mark.parametrize("page", [SECURITY, *RUNBOOKS], ids=lambda page: str(page.stem))
def test_every_command_in_a_runbook_exists(page: Path) -> None:
    commands = re.findall(r"`connector ([^`]+)`|^connector (.+)$", page.read_text(), re.MULTILINE)
    assert commands
    for command in commands:
        assert parse_arguments("".join(command).split()).handler


def test_the_retention_periods_in_the_security_page_are_those_of_the_code() -> None:
    page = SECURITY.read_text()
    retention = cleanup.RETENTION
    hours = int(retention.attempts.total_seconds() / 3600)
    kept = retention.attempts_per_connection
    assert f"the last {kept} of each connection, and all of the last {hours} hours" in page
    assert f"(of each hour, without ids) | {retention.counts.days} days |" in page
    assert f"| events, and their deliveries to endpoints | {retention.events.days} days |" in page
    assert f"webhooks, with their content | {retention.webhooks.days} days;" in page
    assert f"from which address | {cleanup.AUDIT_RETENTION.days} days |" in page
