"""The OpenAPI document describes every route, and the responses match it."""

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

from connector.service_warnings import WARNING_KINDS
from connector.web.access import Access
from connector.web.docs_page import render_docs_page
from connector.web.openapi import build_document
from connector.web.routes import ROUTES
from tests.credentials import ANNA
from tests.running_service import AS_SERVER

from .conftest import Harness

CHECKS = [
    allow_header_conformance,
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
DOCUMENT = build_document(ROUTES)


async def test_every_route_of_the_application_is_described(harness: Harness) -> None:
    routes = {
        (route.method, route.resource.canonical)
        for route in harness.service.web_application().router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    described = {
        (method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods
    }
    assert described == routes


def test_every_operation_has_a_summary_its_security_and_its_error_responses() -> None:
    for route in ROUTES:
        operation = DOCUMENT["paths"][route.canonical][route.method.lower()]
        assert operation["summary"].endswith(".")
        assert operation["responses"].keys() >= {"4XX", "5XX"}
        assert bool(operation["security"]) is (route.access is not Access.PUBLIC)


def test_every_operation_names_the_scope_of_a_key_and_tokens_offer_no_session() -> None:
    for route in ROUTES:
        operation = DOCUMENT["paths"][route.canonical][route.method.lower()]
        if route.scope is not None:
            assert f"An API key needs the scope {route.scope}." in operation["description"]
        if route.scope == "tokens":
            assert operation["security"] == [{"bearer": []}, {"api_key": []}]


def test_every_operation_id_is_unique() -> None:
    ids = [
        operation["operationId"]
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
    ]
    assert len(set(ids)) == len(ids)


async def test_the_docs_page_shows_every_operation(harness: Harness) -> None:
    html = (await harness.get("/docs")).text
    for route in ROUTES:
        assert f"<h2><b>{route.method} {route.canonical}</b></h2>" in html
    assert "advertiser_id" in html


def test_the_docs_page_escapes_the_document() -> None:
    hostile: dict[str, Any] = {
        "info": {"title": "<b>", "version": "<i>", "description": "<script>"},
        "paths": {},
        "components": {"schemas": {}},
    }
    assert "<script>" not in render_docs_page(hostile)
    assert "<b>" not in render_docs_page(hostile)


async def test_generated_requests_get_responses_that_match_the_document(harness: Harness) -> None:
    """Schemathesis generates requests from the document and compares the responses with it."""
    connection = await harness.connect(advertisers=2)
    assert (await harness.get("/openapi.json")).json["openapi"] == "3.1.0"
    await asyncio.to_thread(check_all_operations, harness.url, connection["connection_id"])
    metrics = harness.service.metrics.render().decode()
    for route in ROUTES:
        assert f'{{method="{route.method}",route="{route.canonical}"' in metrics


def check_all_operations(url: str, connection_id: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    for operation in schema.get_all_operations():
        assert isinstance(operation, Ok), operation
        check_operation(operation.ok(), url, connection_id)


def check_operation(operation: Any, url: str, connection_id: str) -> None:
    strategies = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

    @given(case=st.one_of(strategies))
    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check_case(case: Any) -> None:
        if "id" in case.path_parameters:
            case.path_parameters["id"] = connection_id
        if case.query.get("user_id"):
            case.query["user_id"] = ANNA
        case.call_and_validate(base_url=url, headers=AS_SERVER, checks=CHECKS)

    check_case()


def test_the_document_lists_the_kinds_of_warnings_of_readyz() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["ReadinessWarning"]["properties"]["kind"]["enum"] == list(WARNING_KINDS)
    assert schemas["ReadinessResponse"]["required"] == ["status", "warnings"]
    assert schemas["ReadinessResponse"]["properties"]["warnings"]["description"]
