"""What an operator may watch for in the log: who signs in and who tries to, and what commands refuse.

A person is named by their id, and only once they are in. Of those who failed nothing is told but the request, whose id
leads on to the log of the proxy.
"""

import logging
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_login_failed

from portico.domain import actions

log = logging.getLogger(__name__)


def begin() -> None:
    user_logged_in.connect(_signed_in)
    user_login_failed.connect(_failed)
    actions.watchers.append(_ended)


def _signed_in(user: Any, **_more: Any) -> None:
    log.info("signed in", extra={"user": str(user.pk)})


def _failed(**_credentials: Any) -> None:
    log.warning("sign-in failed")


def _ended(command: str, outcome: str) -> None:
    if outcome != actions.DONE:
        log.info("refused", extra={"command": command, "code": outcome})
