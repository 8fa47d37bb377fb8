"""The table of all routes: method, path, handler, access level and the scope that an API key needs.

A row without a level, or without the scope of a route that is not public, is an error when the module is
imported. The rule belongs to the method and the path: a new method of a public path is not public by itself.
"""

from __future__ import annotations

from aiohttp import web

from .access import ACCESS_RULES, Access
from .advertisers import list_advertisers, select_advertiser
from .app_keys import HTTP_SETTINGS, SERVICES, HttpSettings, WebServices
from .audit import list_audit_entries
from .connections import (
    disconnect,
    get_activity,
    get_connection,
    list_attempts,
    list_connections,
    list_families,
    refresh_connection,
)
from .endpoints import (
    create_endpoint,
    delete_endpoint,
    get_endpoint,
    list_deliveries,
    list_endpoint_deliveries,
    list_endpoints,
    replay_events,
    rotate_endpoint_secret,
    test_endpoint,
    update_endpoint,
)
from .events import list_events, release_waiting_readers
from .health import get_metrics, healthz, readyz
from .hold import hold_middleware
from .middleware import request_middleware
from .oauth import (
    describe_state,
    exchange_code,
    restart_connection,
    start_connection,
    start_connection_redirect,
)
from .openapi import OPENAPI_DOCUMENT, build_document, docs_page, openapi_json
from .peer import add_peer_addresses
from .request_parsing import MAX_BODY_BYTES
from .response_headers import add_response_headers
from .route import Route
from .session import create_session, delete_session, get_session
from .static_files import (
    STATIC_FILES,
    callback_page,
    connect_page,
    load_static_files,
    root_redirect,
    static_file,
    status_page,
)
from .tickets import create_ticket
from .tokens import read_token, read_user_token
from .webhooks import list_webhooks, receive_webhook

PUBLIC, SELECTION, USER, SERVER = Access.PUBLIC, Access.SELECTION, Access.USER, Access.SERVER


ROUTES = (
    Route("POST", "/oauth/start", start_connection, access=USER, scope="write"),
    Route("GET", "/oauth/start", start_connection_redirect, access=USER, scope="write"),
    Route("POST", "/oauth/state", describe_state, access=PUBLIC, scope="read"),
    Route("POST", "/oauth/restart", restart_connection, access=PUBLIC, scope="write"),
    Route("POST", "/oauth/exchange", exchange_code, access=PUBLIC, scope="write"),
    Route("POST", "/tiktok/oauth/exchange", exchange_code, access=PUBLIC, scope="write"),
    Route("POST", "/api/tiktok/oauth/exchange", exchange_code, access=PUBLIC, scope="write"),
    Route("GET", "/advertisers", list_advertisers, access=SELECTION, scope="read"),
    Route("POST", "/advertisers/select", select_advertiser, access=SELECTION, scope="write"),
    Route("GET", "/connections", list_connections, access=USER, scope="read"),
    Route("GET", "/connections/{id}", get_connection, access=USER, scope="read"),
    Route("DELETE", "/connections/{id}", disconnect, access=USER, scope="write"),
    Route("POST", "/connections/{id}/refresh", refresh_connection, access=USER, scope="write"),
    Route("GET", "/connections/{id}/attempts", list_attempts, access=USER, scope="read"),
    Route("GET", "/connections/{id}/token", read_token, access=SERVER, scope="tokens"),
    Route("GET", "/token", read_user_token, access=SERVER, scope="tokens"),
    Route("GET", "/activity", get_activity, access=USER, scope="read"),
    Route("GET", "/audit", list_audit_entries, access=SERVER, scope="read"),
    Route("POST", "/webhooks/tiktok", receive_webhook, access=PUBLIC),
    Route("GET", "/webhooks", list_webhooks, access=SERVER, scope="read"),
    Route("POST", "/endpoints", create_endpoint, access=SERVER, scope="write", status=201),
    Route("GET", "/endpoints", list_endpoints, access=SERVER, scope="read"),
    Route("GET", "/endpoints/{id}", get_endpoint, access=SERVER, scope="read"),
    Route("PATCH", "/endpoints/{id}", update_endpoint, access=SERVER, scope="write"),
    Route("DELETE", "/endpoints/{id}", delete_endpoint, access=SERVER, scope="write"),
    Route("POST", "/endpoints/{id}/secret", rotate_endpoint_secret, access=SERVER, scope="write"),
    Route("POST", "/endpoints/{id}/test", test_endpoint, access=SERVER, scope="write"),
    Route(
        "GET", "/endpoints/{id}/deliveries", list_endpoint_deliveries, access=SERVER, scope="read"
    ),
    Route(
        "POST", "/endpoints/{id}/replay", replay_events, access=SERVER, scope="write", status=202
    ),
    Route("GET", "/deliveries", list_deliveries, access=SERVER, scope="read"),
    Route("GET", "/events", list_events, access=SERVER, scope="read"),
    Route("GET", "/families", list_families, access=PUBLIC),
    Route("POST", "/tickets", create_ticket, access=SERVER, scope="write"),
    Route("GET", "/session", get_session, access=SELECTION, scope="read"),
    Route("POST", "/session", create_session, access=SELECTION, scope="read"),
    Route("DELETE", "/session", delete_session, access=SELECTION, scope="read"),
    Route("GET", "/healthz", healthz, access=PUBLIC),
    Route("GET", "/readyz", readyz, access=PUBLIC),
    Route("GET", "/metrics", get_metrics, access=SERVER, scope="metrics"),
    Route("GET", "/openapi.json", openapi_json, access=PUBLIC),
    Route("GET", "/docs", docs_page, access=PUBLIC),
    Route("GET", "/", root_redirect, access=PUBLIC),
    Route("GET", "/connect", connect_page, access=PUBLIC),
    Route("GET", "/status", status_page, access=PUBLIC),
    Route("GET", "/oauth/callback", callback_page, access=PUBLIC),
    Route("GET", "/static/{file:.+}", static_file, access=PUBLIC),
)


def build_application(services: WebServices, settings: HttpSettings) -> web.Application:
    middlewares = [request_middleware, *([hold_middleware] if settings.hold else [])]
    app = web.Application(middlewares=middlewares, client_max_size=MAX_BODY_BYTES)
    app.on_response_prepare.append(add_response_headers)
    app.on_shutdown.append(release_waiting_readers)
    app[SERVICES] = services
    app[HTTP_SETTINGS] = settings
    add_peer_addresses(app)
    app[STATIC_FILES] = load_static_files()
    app[OPENAPI_DOCUMENT] = build_document(ROUTES)
    app[ACCESS_RULES] = {}
    for route in ROUTES:
        # A client that may GET a resource may also request only its headers.
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            added = app.router.add_route(method, route.path, route.typed_handler.handle)
            app[ACCESS_RULES][added] = route.rule
    return app
