"""A shell beside an installation that stays open, because Python and Django take a second to start each time.

It reads one list of words from each line, `["portico.cli", "user", "create", …]`, runs that module as `python -m`
would, and answers with one line: the exit code and what was printed.
"""

import io
import json
import runpy
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from typing import Any


def run(words: list[str]) -> dict[str, Any]:
    out = io.StringIO()
    sys.argv = words
    with redirect_stdout(out), redirect_stderr(out):
        try:
            runpy.run_module(words[0], run_name="__main__", alter_sys=True)
            code: Any = 0
        except SystemExit as end:
            code = end.code
        except Exception:
            traceback.print_exc()
            code = 1
    return {"code": int(code or 0), "out": out.getvalue()}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
