"""Uploading a photo of almost 5 MB as an organization's picture, against bare Pillow doing the same to the same bytes.

The product's time is that of the whole request: the form taken apart, every check, both sizes written to the disk, the
command with its event. A photo of 12 million pixels comes as JPEG; as WEBP it cannot be decoded to a part of its size.
"""

import io
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client, override_settings
from PIL import Image, ImageFilter, ImageOps

from bench.measure import compare, row, table, verdict
from bench.people import founder
from portico.domain.images import LARGE, SMALL

AT_MOST = 1.5
BYTES = 5 * 2**20


def run() -> None:
    table("Uploading a photo of almost 5 MB", "product, ms", "bare Pillow, ms", "ratio", "bound")
    with TemporaryDirectory() as folder, override_settings(MEDIA_ROOT=folder):
        for kind in ("JPEG", "WEBP"):
            data = photo(kind)
            found = compare(product(data), lambda _round, data=data: floor(data, Path(folder)))
            name = f"{kind}, {len(data) / 2**20:.1f} MB, on {connection.vendor}"
            times = found.product.scaled(1000), found.floor.scaled(1000)
            row(name, *times, found.ratio, verdict(found.ratio.median, AT_MOST))


def photo(kind: str) -> bytes:
    """As large as may be uploaded: noise, smoothed until its file is small enough."""
    image = Image.effect_noise((4000, 3000), 90).convert("RGB")
    for quality in range(95, 10, -5):
        file = io.BytesIO()
        image.filter(ImageFilter.GaussianBlur(1)).save(file, kind, quality=quality, method=0)
        if file.tell() <= BYTES:
            return file.getvalue()
    raise AssertionError("no photo is small enough")


def product(data: bytes) -> Callable[[int], float]:
    actor = founder()
    browser = Client(SERVER_NAME="127.0.0.1")
    browser.force_login(actor.membership.user)
    path = f"/o/{actor.organization.slug}/settings/image"

    def upload(_round: int) -> float:
        form = {"image": SimpleUploadedFile("photo", data)}
        begin = time.perf_counter()
        answer = browser.post(path, form)
        took = time.perf_counter() - begin
        assert answer.status_code == 303, answer.status_code
        return took

    return upload


def floor(data: bytes, folder: Path) -> float:
    begin = time.perf_counter()
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (2 * LARGE, 2 * LARGE))
        square = ImageOps.exif_transpose(ImageOps.fit(image, (LARGE, LARGE), Image.Resampling.LANCZOS))
        for size in (LARGE, SMALL):
            resized = square.resize((size, size), Image.Resampling.LANCZOS)
            resized.save(folder / f"floor-{size}.webp", "WEBP", quality=85)
    return time.perf_counter() - begin
