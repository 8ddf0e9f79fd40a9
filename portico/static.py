"""The collected static files: copied, compressed and named by content only when one of them has changed."""

import fcntl
import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command


def collect() -> bool:
    """Whether there was anything to collect. Of several that start on one folder, one does it and the others wait."""
    # Beside the folder, not in it: everything inside is served.
    stamp = settings.STATIC_ROOT.with_name("static.stamp")
    now = fingerprint()
    with stamp.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if stamp.read_text() == now and (settings.STATIC_ROOT / "staticfiles.json").exists():
            return False
        call_command("collectstatic", interactive=False, verbosity=0)
        stamp.write_text(now)
    return True


def fingerprint() -> str:
    """Of the names, sizes and times of all static files; their contents need not be read."""
    lines = [str(settings.STATIC_ROOT.resolve())]
    for finder in get_finders():
        for name, storage in finder.list([]):
            state = Path(storage.path(name)).stat()
            lines.append(f"{name} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
