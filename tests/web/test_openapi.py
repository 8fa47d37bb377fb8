"""The OpenAPI document describes every route, and the responses match it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
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

from connector.events import EVENT_TYPES, EventType
from connector.service_warnings import WARNING_KINDS
from connector.web.access import Access
from connector.web.docs_page import render_docs_page
from connector.web.openapi import build_document
from connector.web.openapi_events import data_model
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


def test_every_type_of_event_is_described_with_its_headers_and_an_example() -> None:
    assert list(DOCUMENT["webhooks"]) == [event_type.name for event_type in EVENT_TYPES]
    for event_type in EVENT_TYPES:
        operation = DOCUMENT["webhooks"][event_type.name]["post"]
        headers = [header["name"] for header in operation["parameters"]]
        assert headers == ["webhook-id", "webhook-timestamp", "webhook-signature"]
        content = operation["requestBody"]["content"]["application/json"]
        assert content["example"]["type"] == event_type.name
        assert content["schema"]["required"] == list(content["example"])


@pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda event_type: str(event_type.name))
def test_the_example_of_an_event_has_exactly_the_described_fields(event_type: EventType) -> None:
    model = data_model(event_type.name)
    described = model.model_validate(event_type.example).model_dump(mode="json")
    assert fields_of(described) == fields_of(event_type.example)
    assert model.__name__ in DOCUMENT["components"]["schemas"]


def test_the_content_of_a_large_webhook_is_described_as_null() -> None:
    schema = DOCUMENT["components"]["schemas"]["TikTokWebhook"]["properties"]["content"]
    assert {"type": "null"} in schema["anyOf"]


def fields_of(data: Any) -> Any:
    """Returns the names of all fields, without the values."""
    return {name: fields_of(value) for name, value in data.items()} if isinstance(data, dict) else 0


async def test_the_docs_page_shows_every_type_of_event(harness: Harness) -> None:
    html = (await harness.get("/docs")).text
    for event_type in EVENT_TYPES:
        assert f"<h2><b>{event_type.name}</b></h2>" in html
    assert "webhook-signature" in html


async def test_a_parameter_and_a_field_are_shown_with_their_description(harness: Harness) -> None:
    html = (await harness.get("/docs")).text
    [after] = [
        parameter
        for parameter in DOCUMENT["paths"]["/events"]["get"]["parameters"]
        if parameter["name"] == "after"
    ]
    assert f"integer, in the query. {after['description']}" in html
    assert "integer. The value of after for the next request." in html


def test_an_operation_that_creates_something_has_its_own_status() -> None:
    assert "201" in DOCUMENT["paths"]["/endpoints"]["post"]["responses"]
    assert "202" in DOCUMENT["paths"]["/endpoints/{id}/replay"]["post"]["responses"]


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
        case.query.pop("wait", None)  # The clock of the service stands still.
        case.call_and_validate(base_url=url, headers=AS_SERVER, checks=CHECKS)

    check_case()


def test_the_document_lists_the_kinds_of_warnings_of_readyz() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["ReadinessWarning"]["properties"]["kind"]["enum"] == list(WARNING_KINDS)
    assert schemas["ReadinessResponse"]["required"] == ["status", "warnings"]
    assert schemas["ReadinessResponse"]["properties"]["warnings"]["description"]
