"""Pictures: what is taken, what is refused, what is left of it, and the files."""

import zipfile
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import compress, crc32

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image, ImageCms, PngImagePlugin

from portico.domain import images
from portico.domain.errors import Invalid, Refused
from portico.domain.organizations import Organization

RED, GREEN, BLUE = (220, 20, 20), (20, 200, 20), (20, 20, 220)


@pytest.fixture(autouse=True)
def folder(settings, tmp_path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return Path(tmp_path)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def striped(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Red, green and blue from left to right, each a third."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 3, 0, width - width // 3, height))
    image.paste(BLUE, (width - width // 3, 0, width, height))
    return image.convert(mode)


def read(data: bytes) -> images.Picture:
    return images.read(ContentFile(data))


def shown(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content))


def refused(data: bytes | None) -> str:
    with pytest.raises(Invalid) as refusal:
        images.read(ContentFile(data) if data is not None else None)
    assert refusal.value.field == "image"
    return refusal.value.sentence


def stored(name: str, size: int) -> bytes | None:
    return images.content(images.file_of(name, size))


def shown_in(mode: str, colour: tuple[int, ...]) -> Any:
    """A colour, or the grey that it becomes."""
    return Image.new("RGB", (1, 1), colour).convert(mode).convert("RGB").getpixel((0, 0))


def near(colour: Any, other: tuple[int, ...]) -> bool:
    return all(abs(a - b) < 24 for a, b in zip(colour, other, strict=False))


# --- What is taken ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [(900, 300), (300, 900), (1, 1), (2000, 1999)])
def test_a_picture_becomes_a_square_in_two_sizes(kind, size):
    picture = read(encoded(striped(*size), kind))

    assert [(each.format, each.size) for each in map(shown, (picture.large, picture.small))] == [
        ("WEBP", (512, 512)),
        ("WEBP", (64, 64)),
    ]


def test_the_middle_is_what_is_kept():
    large = shown(read(encoded(striped(900, 300))).large)

    assert near(large.getpixel((20, 256)), GREEN)
    assert near(large.getpixel((491, 256)), GREEN)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_photo_stands_as_its_camera_held_it(kind, mode):
    lying = striped(600, 600).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it a quarter to the right

    upright = shown(read(encoded(lying, kind, exif=exif)).large)

    above, below = (shown_in(mode, colour) for colour in (RED, BLUE))
    assert near(upright.getpixel((256, 30)), above)
    assert near(upright.getpixel((256, 480)), below)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_way_to_say_colours_is_understood(mode):
    grey = Image.new("L", (100, 100), 128).convert(mode) if mode != "I;16" else Image.new(mode, (100, 100), 128 * 256)

    darkest, lightest = shown(read(encoded(grey)).large).convert("L").getextrema()

    assert 120 < darkest <= lightest < 136


def test_black_and_white_is_understood():
    assert shown(read(encoded(Image.new("1", (90, 90), 1))).large).convert("L").getextrema() == (255, 255)


def test_a_photo_for_print_is_understood():
    assert read(encoded(striped(90, 90, "CMYK"), "JPEG"))


def test_what_is_transparent_stays_so():
    large = shown(read(encoded(Image.new("RGBA", (80, 80), (255, 0, 0, 0)))).large)

    assert large.mode == "RGBA"
    assert large.getpixel((40, 40))[3] == 0


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_a_moving_picture_the_first_frame_is_kept(kind):
    frames = [Image.new("RGB", (90, 90), colour) for colour in (RED, BLUE)]
    moving = encoded(frames[0], kind, save_all=True, append_images=frames[1:])

    large = shown(read(moving).large)

    assert getattr(large, "n_frames", 1) == 1
    assert near(large.getpixel((256, 256)), RED)


def test_nothing_of_what_came_with_it_is_left():
    exif, notes = Image.Exif(), PngImagePlugin.PngInfo()
    exif[0x010F], exif[0x8825] = "SECRET-CAMERA", {1: "N", 2: (52.0, 30.0, 0.0)}
    notes.add_text("Comment", "SECRET-COMMENT")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    files = [
        encoded(striped(90, 90), "PNG", pnginfo=notes, exif=exif, icc_profile=profile),
        encoded(striped(90, 90), "JPEG", exif=exif, icc_profile=profile, comment=b"SECRET", xmp=b"SECRET"),
        encoded(striped(90, 90), "WEBP", exif=exif, icc_profile=profile, xmp=b"SECRET"),
        encoded(striped(90, 90), "JPEG") + b"SECRET behind it",
    ]

    for data in files:
        assert b"SECRET" in data
        for content in (read(data).large, read(data).small):
            assert b"SECRET" not in content
            assert content[12:16] in {b"VP8 ", b"VP8L"}  # the plainest form, which has no place for anything else
            assert len(content) == int.from_bytes(content[4:8], "little") + 8


def test_the_same_picture_has_the_same_name_and_another_has_another():
    first, again, other = (read(encoded(striped(*size))) for size in ((90, 90), (90, 90), (300, 90)))

    assert first.name == again.name != other.name
    assert len(first.name) == images.NAME_LENGTH


# --- What is refused --------------------------------------------------------------------------------------------------

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize("data", [None, b""])
def test_nothing_is_refused(data):
    assert refused(data) == "Choose a picture."


@pytest.mark.parametrize(
    "data",
    [
        b"not a picture",
        b"<svg/>",
        b"\x89PNG\r\n\x1a\n",
        encoded(striped(90, 90), "GIF"),
        encoded(striped(90, 90), "BMP"),
        encoded(striped(90, 90), "TIFF"),
        encoded(striped(90, 90), "ICO", sizes=[(64, 64)]),
    ],
)
def test_what_is_no_picture_is_refused(data):
    assert "Choose a PNG, JPEG or WEBP file." in refused(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_half_a_picture_is_refused(kind, part):
    whole = encoded(Image.effect_noise((900, 900), 60).convert("RGB"), kind)

    assert "not a whole picture" in refused(whole[: int(len(whole) * part)])


def test_a_file_of_6_megabytes_is_refused_and_not_read_to_its_end():
    file = ContentFile(encoded(striped(90, 90)) + bytes(6 * 2**20))

    with pytest.raises(Invalid, match="at most 5 MB"):
        images.read(file)
    assert file.tell() == 5 * 2**20 + 1


def test_a_picture_of_5_megabytes_is_not_too_large():
    noise = encoded(Image.effect_noise((1600, 1600), 90).convert("RGB"), "PNG", compress_level=0)[: 5 * 2**20]

    assert "not a whole picture" in refused(noise)  # and not that it has too many bytes


def bomb(width: int, height: int) -> bytes:
    """A few hundred bytes that say they are a picture of this size, all black, and keep their word for a while."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + crc32(kind + content).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    pixels = compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(5001, 5000), (10_000, 10_000), (65_000, 65_000), (2**31 - 1, 1)])
def test_a_bomb_is_refused_before_it_is_decoded(size, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda _image: pytest.fail("decoded"))

    assert "at most 25 million pixels" in refused(bomb(*size))


def test_a_webp_that_says_it_is_huge_is_refused():
    canvas = (16_382).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + (10).to_bytes(4, "little") + bytes(4) + canvas

    assert refused(b"RIFF" + len(body).to_bytes(4, "little") + body)


def test_a_jpeg_of_endless_passes_is_refused_before_it_is_decoded(monkeypatch):
    whole = encoded(striped(90, 90), "JPEG", progressive=True)
    monkeypatch.setattr(Image.Image, "load", lambda _image: pytest.fail("decoded"))

    assert "takes too long" in refused(whole + images.START_OF_PASS * 100)


@pytest.mark.parametrize("tail", [SVG, b"<SCRIPT>alert(1)</SCRIPT>", b"<html><body>", b"%PDF-1.7", b"<?php system();"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_that_is_something_else_besides_is_refused(kind, tail):
    assert "something else besides" in refused(encoded(striped(90, 90), kind) + tail)


def test_a_picture_with_an_archive_behind_it_is_refused():
    file = BytesIO(encoded(striped(90, 90), "JPEG"))
    file.seek(0, 2)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("run.class", b"\xca\xfe\xba\xbe")

    assert "something else besides" in refused(file.getvalue())


def test_an_svg_is_refused_whatever_it_is_called():
    assert refused(SVG)
    with pytest.raises(Invalid):
        images.read(ContentFile(SVG, name="harmless.png"))


# --- The files --------------------------------------------------------------------------------------------------------


def test_what_is_kept_is_found_in_both_sizes():
    picture = read(encoded(striped(90, 90)))

    name = images.keep(picture)

    for size, content in ((512, picture.large), (64, picture.small)):
        assert stored(name, size) == content


@pytest.mark.parametrize(
    "file", [f"{'0' * 32}-512.webp", f"{'0' * 32}-63.webp", "../secret-64.webp", "-64.webp", "", "x\n", "\0"]
)
def test_what_was_not_kept_is_not_found(file):
    assert images.content(file) is None


def test_the_same_picture_may_be_kept_twice(folder):
    picture = read(encoded(striped(90, 90)))

    assert images.keep(picture) == images.keep(picture)
    assert len(list((folder / "images").iterdir())) == 2


def test_on_a_full_disk_nothing_is_left_behind(folder, monkeypatch):
    def full(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)

    with pytest.raises(Refused) as refusal:
        images.keep(read(encoded(striped(90, 90))))
    assert refusal.value.code == "storage_unavailable"
    assert list((folder / "images").iterdir()) == []


@pytest.mark.django_db
def test_files_that_no_row_names_go_after_a_day():
    used, unused = (images.keep(read(encoded(striped(*size)))) for size in ((90, 90), (300, 90)))
    Organization.objects.create(name="Acme", slug="acme", image=used)

    assert images.forget_unused(timezone.now() + timedelta(hours=23)) == 0
    assert images.forget_unused(timezone.now() + timedelta(hours=25)) == 2
    assert stored(used, 512)
    assert stored(used, 64)
    assert stored(unused, 512) is None


@pytest.mark.django_db
def test_where_nothing_was_ever_kept_there_is_nothing_to_forget(folder):
    assert not default_storage.exists("images")

    assert images.forget_unused(timezone.now()) == 0
