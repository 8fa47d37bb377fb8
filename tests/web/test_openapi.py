"""The description of every address, held against what the addresses really do."""

from __future__ import annotations

import asyncio
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import (
    allow_header_conformance,
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.result import Ok

from connector.web import access
from connector.web.docs import page
from connector.web.endpoint import Endpoint
from connector.web.openapi import document
from connector.web.routes import TABLE, application
from tests.houses import AS_SERVER
from tests.people import ANNA

from .conftest import Site

CHECKS = [
    allow_header_conformance,
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
DESCRIBED = document([(method, path, Endpoint.of(handler)) for method, path, handler in TABLE])


def test_every_route_is_described() -> None:
    routes = {
        (route.method, route.resource.canonical)
        for route in application().router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    described = {
        (method.upper(), path) for path, methods in DESCRIBED["paths"].items() for method in methods
    }
    assert described == routes


def test_every_operation_says_what_it_does_who_may_and_what_can_go_wrong() -> None:
    for path, methods in DESCRIBED["paths"].items():
        for operation in methods.values():
            assert operation["summary"].endswith(".")
            assert operation["responses"].keys() >= {"4XX", "5XX"}
            assert bool(operation["security"]) is (path not in access.PUBLIC)


def test_no_two_operations_share_a_name() -> None:
    names = [each["operationId"] for path in DESCRIBED["paths"].values() for each in path.values()]
    assert len(set(names)) == len(names)


async def test_the_page_shows_every_operation(site: Site) -> None:
    html = (await site.get("/docs")).text
    for method, path, _ in TABLE:
        assert f"<h2><b>{method} {path}</b></h2>" in html
    assert "advertiser_id" in html


def test_the_page_escapes_what_it_shows() -> None:
    hostile: dict[str, Any] = {
        "info": {"title": "<b>", "version": "<i>", "description": "<script>"},
        "paths": {},
        "components": {"schemas": {}},
    }
    assert "<script>" not in page(hostile)
    assert "<b>" not in page(hostile)


async def test_whatever_is_sent_is_answered_as_described(site: Site) -> None:
    """Schemathesis makes requests of the description and holds the answers against it."""
    connected = await site.connected(advertisers=2)
    assert (await site.get("/openapi.json")).said["openapi"] == "3.1.0"
    await asyncio.to_thread(hold_against, site.url, connected["connection_id"])
    counted = site.house.metrics.text().decode()
    for method, path, _ in TABLE:
        assert f'{{method="{method}",resource="{path}"' in counted


def hold_against(url: str, id: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    for operation in schema.get_all_operations():
        assert isinstance(operation, Ok), operation
        hold_one_against(operation.ok(), url, id)


def hold_one_against(operation: Any, url: str, id: str) -> None:
    right_and_wrong = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

    @given(case=st.one_of(right_and_wrong))
    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def answers_as_described(case: Any) -> None:
        if "id" in case.path_parameters:
            case.path_parameters["id"] = id
        if case.query.get("user_id"):
            case.query["user_id"] = ANNA
        case.call_and_validate(base_url=url, headers=AS_SERVER, checks=CHECKS)

    answers_as_described()
