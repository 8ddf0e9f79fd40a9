"""Delivering 2,000 letters to a local SMTP server, against a bare smtplib loop on one connection with the same bytes.

The server is a process of its own, so that neither side shares its processor time with it. The figure is letters per
second, so more is better.
"""

import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection
from django.test import override_settings

from bench.measure import compare, row, table, verdict
from bench.people import founder, terms, wanted
from portico.delivery import worker
from portico.domain import invitations
from portico.domain.outbox import Letter

LETTERS, AT_LEAST = 2_000, 0.5


def run() -> None:
    table("Delivering", "product, letters/s", "bare smtplib, letters/s", "ratio", "bound")
    with tempfile.TemporaryDirectory() as folder, mail_server(folder) as port:
        smtp = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": port, "EMAIL_USE_TLS": False, "EMAIL_USE_SSL": False}
        with override_settings(EMAIL_BACKEND="portico.delivery.smtp.LetterBackend", EMAIL_TIMEOUT=20, **smtp):
            Letter.objects.filter(state="waiting").delete()  # those of other measurements would take minutes
            found = compare(lambda _round: product(), lambda _round: floor(port, Path(folder)))
    rates = [LETTERS / each for each in found.product.values], [LETTERS / each for each in found.floor.values]
    shown = [f"{sorted(each)[len(each) // 2]:.0f} ({min(each):.0f} to {max(each):.0f})" for each in rates]
    ratio = found.inverse
    bound = verdict(ratio.median, AT_LEAST, at_least=True)
    row(f"{LETTERS:,} on {connection.vendor}", *shown, ratio, bound)


def product() -> float:
    actor = founder()
    invitations.send(actor, wanted=wanted(LETTERS), terms=terms(actor))
    begin = time.perf_counter()
    drain()
    return time.perf_counter() - begin


def drain() -> None:
    while worker.run_once():
        pass


def floor(port: int, folder: Path) -> float:
    """The bytes that the product has just sent, once more."""
    letters = sorted(folder.iterdir())[-LETTERS:]
    parsed = [each.read_bytes() for each in letters]
    for each in folder.iterdir():
        each.unlink()
    begin = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port) as line:
        for number, content in enumerate(parsed):
            line.sendmail("portico@localhost", [f"person{number}@example.org"], content)
    took = time.perf_counter() - begin
    for each in folder.iterdir():
        each.unlink()
    return took


@contextmanager
def mail_server(folder: str) -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-m", "bench.mail_server", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        yield int(process.stdout.readline())
        process.stdin.close()
