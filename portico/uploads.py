"""Where uploaded files live, and how much of a request may be one."""

import os
from pathlib import Path
from secrets import token_hex
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.files import File
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadhandler import FileUploadHandler

AT_MOST = 16 * 2**20  # bytes of a request with files; what one file may have is asked where it is read


class Folder(FileSystemStorage):
    """A folder in which a file has its name only when it is whole: not while it is written, nor when the disk is full.

    A file of the same name takes the place of the old one, under the feet of nobody who is reading that.
    """

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _save(self, name: str, content: "File[bytes]") -> str:
        whole = Path(self.path(name))
        whole.parent.mkdir(parents=True, exist_ok=True)
        fresh = whole.with_name(f".{whole.name}.{token_hex(8)}")
        try:
            with fresh.open("wb") as file:
                file.writelines(content.chunks())
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(whole)
        finally:
            fresh.unlink(missing_ok=True)
        return name


class FilesTooBig(RequestDataTooBig):
    """The whole of a request with files. Django's own limit is for what is typed."""


class Bounded(FileUploadHandler):
    """Refuses a request with files that is far too long before any of it is written anywhere."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803  # Django's name
        content_length: int,
        boundary: Any,
        encoding: str | None = None,
    ) -> None:
        if content_length > AT_MOST:
            raise FilesTooBig(f"{content_length:,} bytes, of which {AT_MOST:,} may be")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
