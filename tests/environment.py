"""Loaded before Django's settings are: the tests see no setting of this machine and write nothing into its checkout.

Only the database is taken over from outside, because `tests.postgres` hands it over in PORTICO_DATABASE_URL.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

KEPT = {"PORTICO_DATABASE_URL", "PORTICO_TEST_DATABASE_URL", "PORTICO_TEST_CHROMIUM"}

FOLDER = Path(tempfile.mkdtemp(prefix="portico-tests-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

for name in [name for name in os.environ if name.startswith("PORTICO_") and name not in KEPT]:
    del os.environ[name]
os.environ["PORTICO_DATA"] = str(FOLDER)
(FOLDER / "static").mkdir()  # collected files; the tests read them where they lie
