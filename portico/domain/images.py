"""Pictures of organizations and people: read from what somebody uploads, kept as files, named by what is in them.

What is uploaded is never kept. It is decoded, turned as its camera held it, cut to a square, and written anew in two
sizes without anything that came with it: place, camera, comments, or a second file hidden behind the first.

    picture = images.read(upload)     slow, and so before any lock
    name = images.keep(picture)       writes the files
    …                                 a command puts the name into a row; "" is no picture

A field `PictureName` holds the name. Files that no such field names are deleted by the worker once a day.
"""

import hashlib
import re
import threading
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO

from django.apps import apps
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import models
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from .errors import Invalid, Refused

FORMATS = ("PNG", "JPEG", "WEBP")
JPEGS = ("JPEG", "MPO")  # the second holds several of the first
MEGABYTES = 5
LARGE, SMALL = 512, 64  # pixels of the square
PIXELS = 25_000_000  # what the cameras of phones make; a bomb has thousands of times more
# Each pass over a progressive JPEG costs as much time as the first, and takes a few bytes. Cameras make about ten.
PASSES = 100
START_OF_PASS = b"\xff\xda"
# What else a file may claim to be, to whoever looks for it further inside.
DISGUISES = re.compile(rb"<(script|html|svg|\?php)[\s>/]|%PDF-", re.IGNORECASE)
FOLDER = "images"
NAME_LENGTH = 32
FILE = re.compile(rf"[0-9a-f]{{{NAME_LENGTH}}}-({LARGE}|{SMALL})\.webp")
UNUSED_FOR = timedelta(days=1)  # so long may it take from keeping a file to the row that names it

_one_at_a_time = threading.Lock()  # decoding takes memory, some hundred MB for the largest picture


class PictureName(models.CharField):  # type: ignore[type-arg]  # which exist for type checkers alone
    """Which picture, by the name that `keep` gave it; empty for none."""


@dataclass(frozen=True)
class Picture:
    """A square in two sizes, as WEBP."""

    large: bytes
    small: bytes

    @property
    def name(self) -> str:
        return hashlib.sha256(self.large + self.small).hexdigest()[:NAME_LENGTH]


def read(upload: "File[bytes] | None", *, field: str = "image") -> Picture:
    """The picture that somebody uploaded, made anew; or Invalid."""
    data = upload.read(MEGABYTES * 2**20 + 1) if upload else b""
    if not data:
        raise Invalid(_("Choose a picture."), field=field)
    if len(data) > MEGABYTES * 2**20:
        raise Invalid(
            _("A picture has at most %(n)d MB. Make it smaller and try again.") % {"n": MEGABYTES}, field=field
        )
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            _ensure_decodable(image, data, field)
            with _one_at_a_time:
                return _squares(image)
    except Invalid:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(field) from error
    except Exception as error:  # whatever a broken or hostile file makes a decoder say
        sentence = _("This is not a whole picture. Choose a PNG, JPEG or WEBP file.")
        raise Invalid(sentence, field=field) from error


def _ensure_decodable(image: Image.Image, data: bytes, field: str) -> None:
    """What its head says, before any of its pixels is looked at."""
    if image.width * image.height > PIXELS:
        raise _too_many_pixels(field)
    if DISGUISES.search(data) or zipfile.is_zipfile(BytesIO(data)):
        raise Invalid(_("This file is a picture and something else besides. Save it anew as a picture."), field=field)
    if image.format in JPEGS and data.count(START_OF_PASS) > PASSES:
        raise Invalid(_("This picture takes too long to read. Save it anew and try again."), field=field)


def _too_many_pixels(field: str) -> Invalid:
    sentence = _("A picture has at most %(n)d million pixels. Make it smaller and try again.")
    return Invalid(sentence % {"n": PIXELS // 10**6}, field=field)


def _squares(image: Image.Image) -> Picture:
    """The middle of the picture. It is made small first and turned then, so that there are few copies of its pixels."""
    image.draft("RGB", (2 * LARGE, 2 * LARGE))  # a large JPEG need not be decoded to its last pixel
    image.load()  # of several frames the first
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    middle = (left, top, left + side, top + side)
    square = _in_plain_colours(image).resize((LARGE, LARGE), Image.Resampling.LANCZOS, middle, reducing_gap=3)
    large = ImageOps.exif_transpose(square)
    return Picture(_webp(large), _webp(large.resize((SMALL, SMALL), Image.Resampling.LANCZOS)))


def _in_plain_colours(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # grey, which would be cut off instead of scaled
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    plain = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == plain else image.convert(plain)


def _webp(image: Image.Image) -> bytes:
    """Nothing but pixels: what else a file says of itself is written only if it is handed over."""
    file = BytesIO()
    image.save(file, "WEBP", quality=85)
    return file.getvalue()


# --- The files -----------------------------------------------------------------------------------------------------


def check_name(name: str) -> str:
    """The name of a picture, or nothing, or Invalid."""
    if name and not FILE.fullmatch(file_of(name, LARGE)):
        raise Invalid(_("Choose a picture."), field="image")
    return name


def file_of(name: str, size: int) -> str:
    """What the file of one size is called."""
    return f"{name}-{size}.webp"


def keep(picture: Picture) -> str:
    """Write both sizes; returns the name under which they are found. The same picture again is the same files."""
    try:
        for size, content in ((LARGE, picture.large), (SMALL, picture.small)):
            default_storage.save(f"{FOLDER}/{file_of(picture.name, size)}", ContentFile(content))
    except OSError as error:
        sentence = _("The picture could not be stored: the disk is full or away. Try again later.")
        raise Refused("storage_unavailable", sentence, field="image") from error
    return picture.name


def content(file: str) -> bytes | None:
    """Of a file by what it is called. OSError where the files are away."""
    if not FILE.fullmatch(file):
        return None
    try:
        with default_storage.open(f"{FOLDER}/{file}") as found:
            return bytes(found.read())
    except FileNotFoundError:
        return None


def forget_unused(now: datetime) -> int:
    """Delete the files that no row names, save those so new that a row may be about to; how many went."""
    named = set(_named())
    unused = [file for file in files() if file.partition("-")[0] not in named]
    gone = 0
    for file in unused:
        where = f"{FOLDER}/{file}"
        if now - default_storage.get_modified_time(where) > UNUSED_FOR:
            default_storage.delete(where)
            gone += 1
    return gone


def files() -> list[str]:
    """What the files are called, also of one that is being written."""
    try:
        return list(default_storage.listdir(FOLDER)[1])
    except FileNotFoundError:
        return []


def _named() -> Iterable[str]:
    """The names in all rows of all tables."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, PictureName):
                yield from model._default_manager.exclude(**{field.name: ""}).values_list(field.name, flat=True)
