"""`portico serve`: everything that makes an installation, in one command that Ctrl-C ends.

    serve ─┬─ server processes   granian; started again when they die
           └─ worker             delivers letters; started again when it dies (worker.py)

What is slow happens once, here, before the server processes are forked: they begin with everything loaded.
"""

import errno
import gc
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from django.utils.translation import gettext as _

from portico.cli.command import Done, Tell, interrupted_afterwards
from portico.cli.problems import MisconfiguredError, UnavailableError

if TYPE_CHECKING:
    from portico.settings import Environment

THREADS = 4  # per server process; more would wait for each other
IDLE = 600  # seconds until a thread without work goes, and with it its connection to the database
PATIENCE = 10  # seconds that requests under way have when the server ends


def serve(
    tell: Tell,
    with_worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Deliver letters too, or leave that to `portico worker`.")
    ] = True,
) -> None:
    """Start Portico: bring the database up to date, then answer requests and deliver letters until Ctrl-C."""
    from django.conf import settings

    signal.signal(signal.SIGTERM, interrupt)
    try:
        environment: Environment = settings.ENVIRONMENT
        ensure_complete(environment)
        ensure_mail_is_known()
        address = ensure_free(environment.host, environment.port)
        with counting_together(environment):
            make_ready()
            run(address, environment, with_worker=with_worker, tell=tell)
    except KeyboardInterrupt:
        return


def interrupt(*_signal: object) -> None:
    raise KeyboardInterrupt


def ensure_complete(environment: "Environment") -> None:
    """A production that is only half configured is refused, with all that is missing."""
    from portico.production import gaps

    if found := gaps(environment):
        heading = _("%(address)s can be reached by others, and something is missing for that:") % {
            "address": environment.base_url
        }
        raise MisconfiguredError("\n".join([heading, *(f"  {gap}" for gap in found)]))


def ensure_mail_is_known() -> None:
    """A provider that nobody knows would be noticed by the first letter only."""
    from django.conf import settings
    from django.core.mail import get_connection

    try:
        get_connection()
    except ImportError:
        name = settings.EMAIL_BACKEND.split(".")[-2]
        raise MisconfiguredError(_("PORTICO_EMAIL_URL: nobody knows a provider “%(name)s”.") % {"name": name}) from None
    except Exception as error:
        raise MisconfiguredError(_("PORTICO_EMAIL_URL: %(why)s") % {"why": error}) from error


def ensure_free(host: str, port: int) -> str:
    """The numeric address to listen on. The server would share a port that is taken, and get half of the requests."""
    try:
        family, kind, protocol, _name, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise MisconfiguredError(
            _("PORTICO_HOST: there is no interface “%(host)s”: %(why)s.") % {"host": host, "why": error.strerror}
        ) from None
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(where)
        except OSError as error:
            raise _no_port(error, host, port) from None
    return str(where[0])


def _no_port(error: OSError, host: str, port: int) -> Exception:
    facts = {"port": port, "host": host, "why": error.strerror}
    if error.errno == errno.EADDRINUSE:
        sentence = _("Port %(port)d is taken, perhaps by another Portico. End that, or set PORTICO_PORT to a free one.")
        return UnavailableError("port_taken", sentence % facts)
    return MisconfiguredError(
        _("PORTICO_HOST, PORTICO_PORT: cannot listen on %(host)s, port %(port)d: %(why)s.") % facts
    )


@contextmanager
def counting_together(environment: "Environment") -> Iterator[None]:
    """A folder in which all server processes count for Prometheus, where anybody may read it."""
    if not environment.metrics_token:
        yield
        return
    folder = tempfile.mkdtemp(prefix="portico-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_ready() -> None:
    """The database, the static files and the application, as far as there is anything to do."""
    from django.db import connections
    from django.urls import get_resolver

    from portico import schema, static

    schema.bring_up_to_date()
    static.collect()

    with interrupted_afterwards():
        from portico.wsgi import application  # noqa: F401  # before the fork, and after the files that it looks for

        get_resolver().url_patterns  # noqa: B018  # reads every module of pages
    # A connection must not be shared by two processes.
    connections.close_all()


def run(address: str, environment: "Environment", *, with_worker: bool, tell: Tell) -> None:
    """Serve until a signal ends it. The worker ends with the server."""
    from portico.cli.worker import Supervised

    server = granian(address, environment)
    worker = Supervised() if with_worker else None
    started = partial(announce, address, environment, worker, tell)
    watch = threading.Thread(target=started, daemon=True)
    server.on_startup(partial(end_with_terminal, server))
    server.on_startup(watch.start)
    try:
        server.serve(target_loader=partial(server_process, os.getpid()), wrap_loader=False)
    except SystemExit:
        raise UnavailableError(
            "server_ended", _("The server processes ended again and again; the lines above say why.")
        ) from None
    finally:
        if worker:
            worker.stop()


def granian(address: str, environment: "Environment") -> Any:
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    if sys.platform == "linux":
        multiprocessing.set_start_method("fork", force=True)
        # Python warns of forking beside threads. Ours only wait for processes and hold no lock meanwhile.
        warnings.filterwarnings("ignore", message=".*multi-threaded.*fork.*", category=DeprecationWarning)
        gc.freeze()  # so that collecting garbage does not copy the pages that the processes share
    return Server(
        "portico.wsgi:application",
        address=address,
        port=environment.port,
        interface=Interfaces.WSGI,
        websockets=False,
        workers=environment.workers,
        blocking_threads=THREADS,
        blocking_threads_idle_timeout=IDLE,
        respawn_failed_workers=True,
        workers_kill_timeout=PATIENCE,
        log_level=LogLevels.error,
        # Its lines pass our handler, as all others do. It writes none for requests: those that we write hold no secret.
        log_dictconfig={"loggers": {"_granian": {"handlers": [], "propagate": True}}},
    )


def server_process(parent: int) -> Callable[..., Any]:
    """The first thing that a new server process does; returns what answers its requests."""
    # Until the server sets its own, a signal would call what the parent does with it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Ctrl-C at a terminal goes to the whole group: the parent gets it, and ends its processes in order.
    os.setpgid(0, 0)
    end_with(parent)

    from portico.wsgi import application

    return application


def end_with(parent: int) -> None:
    """Nobody ends a process whose parent was killed, so it looks for itself."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def end_with_terminal(server: Any) -> None:
    """A terminal that is closed ends Portico; the server alone would take it for a wish to reload."""
    signal.signal(signal.SIGHUP, server.signal_handler_interrupt)


def announce(address: str, environment: "Environment", worker: Any, tell: Tell) -> None:
    """Say where Portico is once it answers; the worker begins after that, so that the first page comes sooner."""
    while not answers(address, environment.port):
        time.sleep(0.02)
    tell(
        Done(
            _("Portico is ready: %(address)s (Ctrl-C ends it)") % {"address": environment.base_url},
            {
                "address": environment.base_url,
                "host": environment.host,
                "port": environment.port,
                "worker": worker is not None,
            },
        )
    )
    if worker:
        worker.keep_running()


def answers(address: str, port: int) -> bool:
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104  # compared, not listened on
    try:
        socket.create_connection((reached, port), timeout=1).close()
    except OSError:
        return False
    return True
