"""Every stored error code maps to its exception class."""

from __future__ import annotations

from collections.abc import Iterator

from connector.errors import ConnectorError, InternalError, error_class


def subclasses(parent: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
    for subclass in parent.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def test_each_error_code_has_a_class() -> None:
    for code_class in subclasses(ConnectorError):
        assert error_class(code_class.code).code == code_class.code


def test_an_unknown_error_code_is_an_internal_error() -> None:
    assert error_class("no_such_code") is InternalError
