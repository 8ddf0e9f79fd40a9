"""An app that makes codes, in the hand of somebody who does not start typing one that is about to end."""

import time

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

PERIOD, ENOUGH = 30, 8  # seconds


def code_of(secret: str, later: int = 0) -> str:
    """The code of now, or of so many periods later; it has some seconds left, in which a test uses it."""
    if (left := PERIOD - time.time() % PERIOD) < ENOUGH:
        time.sleep(left)
    return format_hotp_value(hotp_value(secret, int(time.time()) // PERIOD + later))
