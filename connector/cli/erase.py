"""`connector erase`: deletes everything about one person."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace

from connector.app import Service
from connector.maintenance import ErasureReport, erase_person
from connector.model import UserId, parse_user_id
from connector.store import ERASED

from .bootstrap import ACTOR, build_service
from .terminal import print_error, print_result


def erase(options: Namespace) -> int:
    user_id = parse_user_id(options.user, field="--user")
    if not options.yes:
        if not sys.stdin.isatty():
            print_error("Add --yes to erase without a question. Nothing was erased.")
            return 2
        if not _is_confirmed(user_id):
            print_error("Nothing was erased.")
            return 1
    report = asyncio.run(_erase(build_service(), user_id))
    print_result(f"Erased user {user_id}: {report.connections} connections were deleted.")
    if report.not_revoked:
        print_error(
            f"TikTok did not confirm the revocation for {', '.join(report.not_revoked)}. The tokens are "
            "deleted here. The person can remove the app at TikTok, in the settings under Security."
        )
    return 1 if report.not_revoked else 0


def _is_confirmed(user_id: UserId) -> bool:
    sys.stderr.write(
        f"This revokes all tokens of user {user_id} and deletes everything about the user. It cannot be "
        "undone. Erase? [y/N] "
    )
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


async def _erase(service: Service, user_id: UserId) -> ErasureReport:
    async with service:
        report = await erase_person(
            user_id,
            actor=ACTOR,
            store=service.store,
            connections=service.connections,
            code_exchange=service.code_exchange,
        )
        service.audit.record("erase_user", actor=ACTOR, user_id=ERASED)
    return report
