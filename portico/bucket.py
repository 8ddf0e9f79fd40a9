"""Uploaded files in an S3-compatible bucket. It need not be public: Portico fetches what browsers ask for."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files import File
from storages.backends.s3 import S3Storage

SECONDS = 5  # a bucket that does not answer must not hold up the threads that answer people


@contextmanager
def like_a_disk() -> Iterator[None]:
    """What goes wrong there is an OSError, as it would be with a folder."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise OSError(f"The bucket of uploaded files: {error}") from error


class Bucket(S3Storage):
    """A file of the same name takes the place of the old one."""

    def get_default_settings(self) -> dict[str, Any]:
        patience = Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"max_attempts": 2})
        return {**super().get_default_settings(), "file_overwrite": True, "client_config": patience}

    def _save(self, name: str, content: "File[bytes]") -> str:
        with like_a_disk():
            return str(super()._save(name, content))

    def _open(self, name: str, mode: str = "rb") -> Any:
        with like_a_disk():
            return super()._open(name, mode)

    def delete(self, name: str) -> None:
        with like_a_disk():
            super().delete(name)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        with like_a_disk():
            folders, files = super().listdir(path)
            return folders, files

    def get_modified_time(self, name: str) -> datetime:
        with like_a_disk():
            when: datetime = super().get_modified_time(name)
            return when
