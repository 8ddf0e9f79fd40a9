"""Uploaded pictures in a bucket, against a server that speaks S3."""

import socket
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from secrets import token_hex

import boto3
import pytest
from django.test import Client
from django.utils import timezone
from moto.server import ThreadedMotoServer
from PIL import Image
from pydantic import ValidationError

from portico import backup
from portico.domain import images
from portico.domain.errors import Refused
from portico.settings import Environment, uploads


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Its host and port."""
    running = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server, settings) -> None:
    """An empty one, into which pictures go."""
    name = f"pictures-{token_hex(4)}"
    client = boto3.client(
        "s3", "us-east-1", endpoint_url=f"http://{server}", aws_access_key_id="k", aws_secret_access_key="s"
    )
    client.create_bucket(Bucket=name)
    settings.STORAGES = {**settings.STORAGES, "default": uploads(f"s3://k:s@{server}/{name}")}


def picture(colour: str) -> images.Picture:
    file = BytesIO()
    Image.new("RGB", (80, 80), colour).save(file, "PNG")
    file.seek(0)
    return images.read(file)  # type: ignore[arg-type]


def test_a_picture_is_kept_there_and_shown_by_portico(bucket, client: Client):
    name = images.keep(picture("teal"))

    answer = client.get(f"/images/{images.file_of(name, images.SMALL)}")

    assert answer.status_code == 200
    assert Image.open(BytesIO(answer.content)).size == (64, 64)
    assert set(images.files()) == {images.file_of(name, size) for size in (images.LARGE, images.SMALL)}
    assert client.get(f"/images/{'0' * 32}-64.webp").status_code == 404


def test_the_same_picture_again_is_the_same_file(bucket):
    assert images.keep(picture("red")) == images.keep(picture("red"))
    assert len(images.files()) == 2


def test_what_no_row_names_goes_from_there_too(bucket, db):
    images.keep(picture("blue"))

    assert images.forget_unused(timezone.now() + timedelta(hours=25)) == 2
    assert images.files() == []


@pytest.mark.django_db(transaction=True)
def test_a_backup_has_the_pictures_of_the_bucket(bucket, tmp_path):
    name = images.keep(picture("green"))
    backup.write(tmp_path / "all.portico")

    with zipfile.ZipFile(tmp_path / "all.portico") as whole, tarfile.open(fileobj=whole.open("uploads.tar")) as tar:
        assert f"images/{name}-512.webp" in tar.getnames()


@pytest.mark.parametrize("wrong", ["secret", "away"])
def test_a_bucket_that_is_away_or_not_ours_is_like_a_full_disk(server, settings, client, wrong):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    address = f"s3://k:s@{server}/not-there" if wrong == "secret" else f"s3://k:s@127.0.0.1:{port}/pictures"
    settings.STORAGES = {**settings.STORAGES, "default": uploads(address)}

    with pytest.raises(Refused) as refusal:
        images.keep(picture("teal"))

    assert refusal.value.code == "storage_unavailable"


@pytest.mark.parametrize("address", ["s3://bucket", "s3://k:s@host", "https://k:s@host/bucket", "s3://host/bucket"])
def test_an_address_that_is_none_is_refused_at_the_start(address):
    with pytest.raises(ValidationError, match="write it as s3://"):
        Environment(uploads_url=address)
