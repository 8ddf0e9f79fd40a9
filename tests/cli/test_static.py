"""Static files are collected when one of them has changed, and not otherwise."""

import os
from pathlib import Path

import pytest
from django.conf import settings as django_settings

from portico import static


@pytest.fixture
def source(settings, tmp_path: Path) -> Path:
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STORAGES = django_settings.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS = [tmp_path / "source"]
    (tmp_path / "source").mkdir()
    file = tmp_path / "source" / "look.css"
    file.write_text("a {}")
    return file


def test_files_are_collected_once(source: Path) -> None:
    assert static.collect() is True
    assert static.collect() is False


def test_a_changed_file_is_collected_again(source: Path) -> None:
    static.collect()

    source.write_text("b {}")
    os.utime(source, (1, 1))

    assert static.collect() is True


def test_files_that_are_gone_are_collected_again(source: Path, settings) -> None:
    static.collect()

    (settings.STATIC_ROOT / "staticfiles.json").unlink()

    assert static.collect() is True
