"""What the tests need that pip cannot bring: a Chromium, and a user whom PostgreSQL agrees to run as.

`python -m tests.needs` looks for both before a long run. Under CI=true it installs a missing package, because that
machine is a throwaway; on somebody's own machine it says in one sentence what to type.
"""

import os
import shutil
import subprocess
import sys

from tests import postgres

# The first is the same browser without a desktop's parts, which takes a fifth less time.
CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """The browser to test with, for Playwright's `executable_path`; PORTICO_TEST_CHROMIUM overrules the search."""
    named = os.environ.get("PORTICO_TEST_CHROMIUM")
    if named:
        return shutil.which(named)
    return next(filter(None, map(shutil.which, CHROMIUMS)), None)


def on_a_throwaway_machine() -> bool:
    return os.environ.get("CI") == "true"


def install(package: str) -> None:
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=quiet, check=True)
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], env=quiet, check=True)


def main() -> int:
    if chromium() is None and on_a_throwaway_machine():
        install(CHROMIUMS[0])
    if chromium() is None:
        sudo = "" if os.geteuid() == 0 else "sudo "
        print(f"The browser tests need Chromium: {sudo}apt-get install {CHROMIUMS[0]}", file=sys.stderr)
        return 1
    try:
        postgres.ensure_possible()
    except postgres.CannotStartError as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
