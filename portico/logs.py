"""What is logged, and how it reads: JSON lines, or plain ones on a terminal; with the id of the request, and no secret.

Whatever writes a line goes through here: Portico, Django, the server, and the traceback of a fault.
"""

import logging
import re
import sys
from contextvars import ContextVar
from typing import Any

import structlog
from structlog.typing import EventDict

request_id: ContextVar[str] = ContextVar("request_id", default="")

FACTS = [
    "method",
    "path",
    "route",
    "status",
    "ms",
    "user",
    "command",
    "code",
]  # what a line may tell besides its sentence

_BY_PLACE = re.compile(r"(?i)(/join/|/letters/|/reset/key/|/go-on/|bearer\s+)[^\s\"'<>?]+")
_BY_SHAPE = re.compile(
    r"(?<![\w-])(?=[\w-]*[A-Z])(?=[\w-]*\d)[\w-]{40,}={0,2}"
)  # links and tokens, wherever they stand
_ADDRESS = re.compile(r"[^\s@<>\"'(),;:=/]+(:[^\s@/]*)?@[^\s@<>\"'(),;:]+")


def without_secrets(text: str) -> str:
    """The text without links of letters, tokens, passwords in addresses of servers, and addresses of people."""
    return _ADDRESS.sub("…@…", _BY_SHAPE.sub("…", _BY_PLACE.sub(r"\1…", text)))


def formatter(*, terminal: bool | None = None) -> logging.Formatter:
    """For the one handler of all lines."""
    terminal = sys.stderr.isatty() if terminal is None else terminal
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.processors.TimeStamper(fmt="iso", utc=not terminal),
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(FACTS),
            _with_request,
            structlog.processors.format_exc_info,  # now, so that what it quotes is read for secrets too
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _scrubbed,
            _for_eyes() if terminal else structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def _for_eyes() -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback, pad_event_to=0)


def _with_request(_logger: Any, _method: str, line: EventDict) -> EventDict:
    if here := request_id.get():
        line["request_id"] = here
    return line


def _scrubbed(_logger: Any, _method: str, line: EventDict) -> EventDict:
    return {name: without_secrets(value) if isinstance(value, str) else value for name, value in line.items()}
