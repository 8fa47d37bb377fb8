"""The commands for events, for their endpoints, and for TikTok's webhooks, with their options."""

from __future__ import annotations

from .command_parts import Commands, add_command, add_json, number, positive_number

WEBHOOK_TYPES = ("VIDEO", "COMMENT", "DIRECT_MESSAGE", "BRAND_MENTION")
TYPES_HELP = "types of events, or prefixes such as connection.*, separated by commas"
DELIVERY_STATES = ("pending", "delivered", "exhausted", "dropped")
ENDPOINT_ACTIONS = (
    ("show", "show", "print one endpoint"),
    ("enable", "enable", "enable an endpoint again"),
    ("disable", "disable", "send nothing to an endpoint, and drop its pending deliveries"),
    ("delete", "delete", "delete an endpoint and its deliveries"),
    ("rotate", "rotate", "create a new secret of an endpoint, and print it"),
    ("test", "send_test", "send the event endpoint.test to an endpoint now"),
    ("deliveries", "deliveries", "list the deliveries to an endpoint, newest first"),
    ("replay", "replay", "send the events that an endpoint has not received"),
)


def add_event_commands(commands: Commands) -> None:
    events = add_command(commands, "events", "events:events", "print the events, one on each line")
    events.add_argument("--follow", action="store_true", help="print new events until Ctrl-C")
    events.add_argument(
        "--after",
        type=number,
        metavar="N",
        help="print the events after this number; default: all events, or only new events with --follow",
    )
    events.add_argument("--types", metavar="T", help=TYPES_HELP)
    events.add_argument("--connection", metavar="ID", help="only this connection")
    events.add_argument("--json", action="store_true", help="print one JSON object on each line")
    endpoints = commands.add_parser(
        "endpoints", help="the addresses to which events are sent"
    ).add_subparsers(metavar="ACTION", required=True)
    add_json(add_command(endpoints, "list", "endpoints:list_all", "list the endpoints"))
    add = add_command(endpoints, "add", "endpoints:add", "create an endpoint, and print its secret")
    add.add_argument("url", metavar="URL")
    add.add_argument("--events", metavar="T", default="connection.*", help=TYPES_HELP)
    add.add_argument("--description", metavar="TEXT", default="", help="a note for people")
    add_json(add)
    actions = {
        name: add_command(endpoints, name, f"endpoints:{handler}", help)
        for name, handler, help in ENDPOINT_ACTIONS
    }
    for action in actions.values():
        action.add_argument("id", metavar="ID")
    add_json(actions["show"])
    actions["delete"].add_argument("--yes", action="store_true", help="do not ask")
    actions["rotate"].add_argument(
        "--grace-hours",
        type=number,
        default=24,
        metavar="N",
        help="for how many hours requests are signed with the old secret too: 0 to 168, default 24",
    )
    deliveries = actions["deliveries"]
    deliveries.add_argument(
        "--state", choices=DELIVERY_STATES, help="only deliveries in this state"
    )
    deliveries.add_argument(
        "--limit", type=positive_number, default=50, metavar="N", help="how many; default 50"
    )
    add_json(deliveries)
    replay = actions["replay"]
    replay.add_argument(
        "--since",
        required=True,
        metavar="TIME",
        help="a time such as 2026-11-21T14:00:00Z, or an age such as 2h or 7d",
    )
    replay.add_argument(
        "--until", metavar="TIME", help="only events before this time; default: now"
    )
    replay.add_argument(
        "--events", metavar="T", help=f"{TYPES_HELP}; default: the types of the endpoint"
    )
    replay.add_argument(
        "--again", action="store_true", help="also send the events that were delivered already"
    )


def add_webhook_commands(commands: Commands) -> None:
    """WEBHOOK_TYPES equals WEBHOOK_EVENT_TYPES of `connector.tiktok`, which is not imported here: it would make `--help` slow."""
    actions = commands.add_parser(
        "webhooks", help="TikTok's webhooks of the accounts family: set, list, delete"
    ).add_subparsers(metavar="set|list|delete", required=True)
    set_ = add_command(
        actions,
        "set",
        "webhooks:set_callback",
        "tell TikTok to send the webhooks of the accounts family to this service",
    )
    set_.add_argument(
        "--url",
        metavar="U",
        help="default: CONNECTOR_PUBLIC_URL followed by /webhooks/tiktok",
    )
    list_ = add_command(
        actions, "list", "webhooks:list_callbacks", "list where TikTok sends these webhooks"
    )
    delete = add_command(
        actions, "delete", "webhooks:delete_callback", "tell TikTok to stop sending these webhooks"
    )
    for action, default in ((set_, "VIDEO"), (list_, None), (delete, "VIDEO")):
        action.add_argument(
            "--event",
            type=str.upper,
            choices=WEBHOOK_TYPES,
            default=default,
            metavar="E",
            help=f"{', '.join(WEBHOOK_TYPES)}; default: {default or 'all'}",
        )
