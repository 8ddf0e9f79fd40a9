"""`portico serve` as a process: it starts by itself, answers, and leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portico.cli.command import interrupted_afterwards
from tests.cli.conftest import Server, processes, until

Serve = Callable[..., Server]


@pytest.mark.empty_machine
def test_a_fresh_installation_answers_and_the_second_start_is_quick(serve: Serve, record_property) -> None:
    first = serve()
    first.up()
    assert first.ready()["ready"] is True
    assert first.end() == 0

    second = serve()
    seconds = second.up()

    record_property("seconds to the first page of the second start", seconds)
    print(f"second start: first page after {seconds:.2f} s")
    assert seconds < 10  # under 3 s where nothing else runs
    assert first.errors == []


def test_one_line_says_where_it_is(serve: Serve) -> None:
    server = serve()
    server.up()
    until(lambda: server.out)

    assert server.out == [f"Portico is ready: http://127.0.0.1:{server.port} (Ctrl-C ends it)\n"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_process_and_nothing_is_said(serve: Serve, number: signal.Signals) -> None:
    server = serve()
    server.ready()
    children = server.children()
    assert len(children) == 2

    code = server.end(number)

    assert code == 0, server.said()
    assert server.errors == []
    assert server.left_behind == set()


def test_ctrl_c_at_a_terminal_reaches_the_whole_group_and_ends_it_cleanly(serve: Serve) -> None:
    server = serve()
    server.ready()
    children = server.children()
    # The terminal's group holds `serve` alone: who else got the signal might be gone before it is told to go.
    assert server.process.pid not in {os.getpgid(child) for child in children}

    os.killpg(server.process.pid, signal.SIGINT)

    assert server.wait() == 0, server.said()
    assert server.errors == []
    assert server.left_behind == set()


@pytest.mark.empty_machine
def test_ctrl_c_while_it_starts_ends_it_cleanly(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    until((tmp_path / "data" / "secret.key").exists)

    code = server.end()

    assert code in {0, 130}, server.said()
    assert "Traceback" not in server.said()


@pytest.fixture
def ordinary_signals() -> Iterator[None]:
    """Commands that ran in this process before may have left their own."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ordinary_signals")
def test_ctrl_c_in_the_middle_of_an_import_waits_for_its_end() -> None:
    imported = []

    def load() -> None:
        signal.raise_signal(signal.SIGINT)
        imported.append("all of it")

    with pytest.raises(KeyboardInterrupt), interrupted_afterwards():
        load()

    assert imported
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_server_process_that_is_killed_is_started_again(serve: Serve) -> None:
    server = serve()
    server.up()
    victim = server.server()
    assert victim

    os.kill(victim, signal.SIGKILL)
    until(lambda: server.server() not in {None, victim} and server.get("/health/live")[0] == 200)

    assert server.get("/health/live")[0] == 200
    assert server.end() == 0, server.said()
    assert server.left_behind == set()


def test_a_worker_that_is_killed_is_started_again(serve: Serve) -> None:
    server = serve()
    server.ready()
    victim = server.worker()
    assert victim

    os.kill(victim, signal.SIGKILL)
    until(lambda: server.worker() not in {None, victim})

    assert server.worker() not in {None, victim}
    assert server.end() == 0, server.said()


def test_when_serve_itself_is_killed_its_processes_end_by_themselves(serve: Serve) -> None:
    server = serve()
    server.ready()
    children = server.children()

    server.process.kill()
    until(lambda: not children.keys() & processes().keys())

    assert not children.keys() & processes().keys()


def test_without_a_worker_it_answers_and_says_that_it_is_not_ready(serve: Serve) -> None:
    server = serve("--no-worker")
    server.up()

    assert server.get("/health/live")[0] == 200
    status, body = server.get("/health/ready")
    assert status == 503
    assert '"worker": {"ok": false' in body
    assert server.worker() is None


def test_several_server_processes(serve: Serve) -> None:
    server = serve("--no-worker", PORTICO_WORKERS="2")
    server.up()

    until(lambda: len(server.children()) == 2)
    assert len(server.children()) == 2
    assert server.end() == 0, server.said()


def test_server_processes_count_together_and_log_requests_where_asked_to(serve: Serve) -> None:
    token = "t" * 20
    server = serve("--no-worker", PORTICO_WORKERS="2", PORTICO_METRICS_TOKEN=token, PORTICO_LOG="requests")
    server.up()
    until(lambda: len(server.children()) == 2)
    before = len(server.errors)

    for _each in range(20):  # to either of them, by chance
        assert server.get("/join/geheim")[0] == 404
    status, told = server.get("/metrics", Authorization=f"Bearer {token}")

    assert status == 200
    assert 'portico_requests_total{method="GET",route="join",status="404"} 20.0\n' in told
    assert 'portico_letters{state="waiting"} 0.0\n' in told
    until(lambda: len(server.errors) >= before + 20)
    lines = [json.loads(line) for line in server.errors]
    assert [(line["path"], line["status"]) for line in lines if line.get("route") == "join"] == [("/join/…", 404)] * 20
    assert "geheim" not in server.said()
    assert server.end() == 0, server.said()


def test_another_host_is_refused(serve: Serve) -> None:
    server = serve("--no-worker")
    server.up()

    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(b"GET /health/live HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n")
        assert b" 400 " in line.recv(100)


# --- What stops the start -------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_one_sentence(serve: Serve) -> None:
    first = serve("--no-worker")
    first.up()

    second = serve("--no-worker")

    assert second.wait() == 3
    assert len(second.errors) == 1
    assert f"Port {first.port} is taken" in second.errors[0]
    assert first.get("/health/live")[0] == 200


def test_a_half_configured_production_is_refused_and_all_that_is_missing_is_named(serve: Serve) -> None:
    server = serve(PORTICO_BASE_URL="http://portico.example.org")

    assert server.wait() == 4
    for variable in ("PORTICO_EMAIL_URL", "PORTICO_SECRET_KEY", "PORTICO_BASE_URL"):
        assert f"{variable}: " in server.said()
    assert "Traceback" not in server.said()


def test_a_whole_production_starts(serve: Serve) -> None:
    server = serve(
        "--no-worker",
        PORTICO_BASE_URL="https://portico.example.org",
        PORTICO_EMAIL_URL="smtp://user:password@mail.example.org:587",
        PORTICO_SECRET_KEY="k" * 25 + "z" * 25,
    )
    until(lambda: server.out or server.process.poll() is not None)

    assert server.out == ["Portico is ready: https://portico.example.org (Ctrl-C ends it)\n"], server.said()


def test_a_database_that_is_away_is_one_sentence_without_its_password(serve: Serve) -> None:
    server = serve(PORTICO_DATABASE_URL="postgresql://someone:geheim@127.0.0.1:1/portico")

    assert server.wait() == 3
    assert len(server.errors) == 1
    assert server.errors[0].startswith("The database does not answer: ")
    assert "geheim" not in server.said()


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("PORTICO_PORT", "65536", 4),
        ("PORTICO_BASE_URL", "portico.example.org", 4),
        ("PORTICO_EMAIL_URL", "mail.example.org:587", 4),
        ("PORTICO_EMAIL_URL", "pigeon://?LOFT=1", 4),
        ("PORTICO_DATABASE_URL", "mysql://someone:geheim@db/portico", 4),
        ("PORTICO_DATABASE_URL", "postgresql://someone:geheim@[db/portico", 4),
        ("PORTICO_HOST", "nowhere.invalid", 4),
        ("PORTICO_DATA", "/dev/null/data", 3),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_names_it(serve: Serve, variable: str, value: str, code: int) -> None:
    server = serve(**{variable: value})

    assert server.wait() == code
    assert len(server.errors) == 1
    assert variable in server.errors[0]
    assert "geheim" not in server.said()


def test_a_malformed_file_of_permissions_is_named_with_its_line(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "permissions.toml"
    file.write_text('\n[[permission]]\nname = "reports"\nlabel = "Reports"\nsentence = "Read"\n')

    server = serve(PORTICO_PERMISSIONS=str(file))

    assert server.wait() == 4
    assert len(server.errors) == 1
    assert f"{file}, line 2: “reports” is not a name like reports.read." in server.errors[0]


def test_help_needs_no_settings(environment: dict[str, str]) -> None:
    told = subprocess.run(
        [sys.executable, "-W", "error", "-m", "portico.cli", "user", "create", "--help"],
        env=environment | {"PORTICO_PORT": "many"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--verified" in told.stdout


def test_the_worker_alone_ends_by_a_signal(environment: dict[str, str]) -> None:
    shell = [sys.executable, "-W", "error", "-m", "portico.cli"]
    subprocess.run([*shell, "migrate"], env=environment, check=True)
    worker = subprocess.Popen(
        [*shell, "worker"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert worker.stdout
    assert worker.stdout.readline() == "Delivering letters (Ctrl-C ends it)\n"

    worker.send_signal(signal.SIGTERM)
    _out, errors = worker.communicate(timeout=60)

    assert (worker.returncode, errors) == (0, "")
