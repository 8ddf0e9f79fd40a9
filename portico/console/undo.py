"""What a toast offers to take back: the inverse command, asked for as its page asks, with all its checks.

Offered only where that restores everything. A revoked invitation stays revoked and a letter stays written, so what
ended an offer or told somebody has no Undo; nor has what the actor could not do the other way round.
"""

import json
from collections.abc import Mapping
from typing import Any


def to(path: str, **fields: str) -> str:
    """The tag of a message that offers it: where the form goes, and what it says."""
    return json.dumps({"path": path, "fields": fields})


def read(tags: str | None) -> Mapping[str, Any] | None:
    return dict(json.loads(tags)) if tags and tags.startswith("{") else None
