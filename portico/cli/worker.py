"""`portico worker`, and keeping one running beside the server."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Annotated

import typer
from django.utils.translation import gettext as _

from portico.cli.command import Done, Tell

log = logging.getLogger(__name__)

LETTER = 30  # seconds that the letter under way has when the worker ends; a mail server is given 20
HEALTHY = 60  # seconds after which a worker that ends had been well
LONGEST_PAUSE = 30


def worker(
    tell: Tell, parent: Annotated[int | None, typer.Option(hidden=True, help="End when this process is gone.")] = None
) -> None:
    """Deliver letters until Ctrl-C. `serve` starts one by itself."""
    from portico.cli.serve import end_with
    from portico.delivery.worker import run

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_signal: stop.set())
    if parent is None:
        tell(Done(_("Delivering letters (Ctrl-C ends it)"), {"worker": os.getpid()}))
    else:
        end_with(parent)
    run(stop)


class Supervised:
    """A worker in a process of its own, started again when it dies: sooner at first, then less and less often."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None
        self.lock = threading.Lock()

    def keep_running(self) -> None:
        pause = 1
        while process := self.start():
            began = time.monotonic()
            code = process.wait()
            if self.stopping.is_set():
                return
            pause = 1 if time.monotonic() - began > HEALTHY else min(pause * 2, LONGEST_PAUSE)
            log.error("The delivery worker ended (%s). It is started again in %s s.", code, pause)
            self.stopping.wait(pause)

    def start(self) -> subprocess.Popen[bytes] | None:
        with self.lock:
            if self.stopping.is_set():
                return None
            command = [sys.executable, "-m", "portico.cli", "worker", "--parent", str(os.getpid())]
            # In a group of its own: Ctrl-C goes to `serve`, which ends it after the letter under way.
            self.process = subprocess.Popen(command, process_group=0)
            return self.process

    def stop(self) -> None:
        with self.lock:
            self.stopping.set()
            process = self.process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(LETTER)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
