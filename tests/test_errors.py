"""Every stored error code maps to its exception class, and no module raises one error again and again."""

from __future__ import annotations

import re
from collections.abc import Iterator

from connector.errors import ConnectorError, InternalError, error_class

from .supabase_stack import ROOT


def subclasses(parent: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
    for subclass in parent.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def test_each_error_code_has_a_class() -> None:
    for code_class in subclasses(ConnectorError):
        assert error_class(code_class.code).code == code_class.code


def test_an_unknown_error_code_is_an_internal_error() -> None:
    assert error_class("no_such_code") is InternalError


def test_no_error_of_a_module_is_raised_again_and_again() -> None:
    """Such an error keeps the frames of each request that raised it in memory."""
    raised = {
        (path.name, name)
        for path in (ROOT / "connector").rglob("*.py")
        for name in re.findall(r"\braise (_?[A-Z][A-Z_]+)\b", path.read_text())
    }
    assert raised == set()
