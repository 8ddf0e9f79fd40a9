"""An SMTP server on loopback that keeps each message as a file. It prints its port, and ends when its input closes."""

import sys
import time
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller


class Keeper:
    def __init__(self, folder: str):
        self.folder, self.count = Path(folder), 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        self.count += 1
        (self.folder / f"{time.time_ns()}-{self.count:07}").write_bytes(envelope.content)
        return "250 kept"


class AnyPort(Controller):
    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()


if __name__ == "__main__":
    controller = AnyPort(Keeper(sys.argv[1]), hostname="127.0.0.1", port=0)
    controller.start()
    print(controller.port, flush=True)
    sys.stdin.read()
    controller.stop()
