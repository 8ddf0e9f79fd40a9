"""Settings: details, picture, old addresses, closing and restoring."""

from datetime import timedelta
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image

from portico.domain import images, organizations
from portico.domain.organizations import Organization
from portico.domain.permissions import ORGANIZATION_MANAGE
from tests import cast
from tests.console.browser import beside, section, signed_in, text

SETTINGS = "/o/acme/settings"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def lea(acme):
    """May manage the organization, nothing else."""
    return cast.joined(acme, cast.person("Lea"), cast.custom(ORGANIZATION_MANAGE))


def form(**other: str) -> dict[str, str]:
    """What the page sends."""
    return {"name": "Acme", "slug": "acme", "description": "", "color": "violet", "version": "1"} | other


def picture(kind: str = "PNG") -> SimpleUploadedFile:
    file = BytesIO()
    Image.new("RGB", (90, 60), (200, 30, 30)).save(file, kind)
    return SimpleUploadedFile("logo.png", file.getvalue())


# --- Details ----------------------------------------------------------------------------------------------------------


def test_details_are_changed_and_the_page_is_at_the_new_address(lea, acme):
    answer = signed_in(lea).post(SETTINGS, form(name="Acme Ltd", slug="acme-ltd", color="sky"))

    assert (answer.status_code, answer.url) == (303, "/o/acme-ltd/settings")
    acme.refresh_from_db()
    assert (acme.name, acme.slug, acme.color) == ("Acme Ltd", "acme-ltd", "sky")


def test_each_error_stands_beside_its_field_and_what_was_typed_stays(lea):
    answer = signed_in(lea).post(SETTINGS, form(name="evil.com", slug="admin", description="x" * 201, color="beige"))

    assert answer.status_code == 422
    assert "cannot contain a web address" in beside(answer, "name")
    assert "kept for Portico" in beside(answer, "slug")
    assert "at most 200" in beside(answer, "description")
    assert "Choose one of the colours." in text(answer)
    assert 'value="evil.com"' in answer.content.decode()


def test_an_address_that_is_taken_says_so_beside_it(lea, eve):
    answer = signed_in(lea).post(SETTINGS, form(slug="elsewhere"))

    assert answer.status_code == 409
    assert beside(answer, "slug") == "The address “elsewhere” is taken."


def test_what_changed_meanwhile_is_shown_and_what_was_typed_stays(lea, ada):
    organizations.change(ada, name="Acme Ltd", description="We make things.")

    answer = signed_in(lea).post(SETTINGS, form(color="sky"))

    assert answer.status_code == 412
    assert "Somebody changed this meanwhile." in text(answer)
    assert "The name is now “Acme Ltd”." in text(answer)
    assert "The description is now “We make things.”." in text(answer)
    assert "The address is now" not in text(answer)
    page = answer.content.decode()
    assert 'name="version" value="2"' in page
    assert 'value="sky" checked' in page


@pytest.mark.parametrize("who", ["mel", "ivy"])
def test_without_the_permission_one_sees_how_to_leave_and_no_form(who, request):
    client = signed_in(request.getfixturevalue(who))

    page = client.get(SETTINGS)

    assert "Leave organization" in text(page)
    for absent in ("Save", "Use this picture", "Hand over", "Delete"):
        assert absent not in text(page)
    assert client.post(SETTINGS, form(name="Mine")).status_code == 403


def test_only_an_administrator_is_shown_how_to_hand_over_and_how_to_delete(ada, lea):
    assert "Delete organization" in text(signed_in(ada).get(SETTINGS))
    assert "Hand over" in text(signed_in(ada).get(SETTINGS))
    assert "Delete organization" not in text(signed_in(lea).get(SETTINGS))


def test_settings_are_linked_for_every_active_member(mel):
    assert f'href="{SETTINGS}"' in signed_in(mel).get("/o/acme/").content.decode()


# --- Old addresses ----------------------------------------------------------------------------------------------------


def test_an_old_address_leads_on_with_all_that_stood_behind_it(lea):
    organizations.change(lea, slug="acme-ltd")

    answer = signed_in(lea).get("/o/acme/workspaces?show=all")

    assert (answer.status_code, answer.url) == (308, "/o/acme-ltd/workspaces?show=all")
    assert "no-store" in answer.headers["Cache-Control"]  # they may go back to it
    assert signed_in(lea).post("/o/acme/settings").status_code == 308


def test_an_old_address_says_nothing_to_others(lea, eve):
    organizations.change(lea, slug="acme-ltd")

    assert signed_in(eve).get("/o/acme/").status_code == 404
    for address in ("acme", "nowhere"):
        answer = Client().get(f"/o/{address}/")
        assert (answer.status_code, answer.url) == (302, f"/account/login/?next=/o/{address}/")


# --- Picture ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_uploaded_and_shown(lea, acme, kind):
    client = signed_in(lea)

    answer = client.post(f"{SETTINGS}/image", {"image": picture(kind), "version": "1"})

    assert (answer.status_code, answer.url) == (303, SETTINGS)
    acme.refresh_from_db()
    page = client.get(SETTINGS).content.decode()
    assert f"/images/{acme.image}-512.webp" in page
    assert client.get(f"/images/{acme.image}-64.webp").status_code == 200


def test_a_picture_is_taken_away(lea, acme):
    organizations.change(lea, image=images.keep(images.read(picture())))
    client = signed_in(lea)
    assert "Take it away" in text(client.get(SETTINGS))

    client.post(f"{SETTINGS}/image", {"do": "remove"})

    acme.refresh_from_db()
    assert acme.image == ""
    assert "Take it away" not in text(client.get(SETTINGS))


@pytest.mark.parametrize(
    ("upload", "sentence"),
    [
        (None, "Choose a picture."),
        (SimpleUploadedFile("logo.png", b"<svg onload=alert(1)>"), "not a whole picture"),
        (SimpleUploadedFile("logo.png", bytes(6 * 2**20)), "at most 5 MB"),
    ],
)
def test_what_is_no_picture_is_refused_beside_the_field(lea, acme, upload, sentence):
    answer = signed_in(lea).post(f"{SETTINGS}/image", {"image": upload} if upload else {})

    assert answer.status_code == 422
    assert sentence in beside(answer, "image")
    acme.refresh_from_db()
    assert acme.image == ""


def test_without_the_permission_nothing_is_even_read(mel, folder, tmp_path):
    assert signed_in(mel).post(f"{SETTINGS}/image", {"image": picture()}).status_code == 403
    assert list(tmp_path.iterdir()) == []


# --- Its end ----------------------------------------------------------------------------------------------------------


def test_before_it_is_deleted_the_page_says_what_ends(ada, mel, contributor, payments):
    cast.invited(ada, "bob@example.org", grant=contributor)

    ends = section(signed_in(ada).get(f"{SETTINGS}/delete"), "What ends with it")

    assert "2 memberships" in ends
    assert "1 workspace" in ends
    assert "1 invitation" in ends


def test_it_is_deleted_by_whoever_types_its_name_and_restored_from_the_page_that_says_so(ada, mel, acme):
    client = signed_in(ada)

    wrong = client.post(f"{SETTINGS}/delete", {"name": "acme"})
    assert wrong.status_code == 422
    assert beside(wrong, "name") == "Type the name exactly as it is: Acme"

    answer = client.post(f"{SETTINGS}/delete", {"name": "Acme"})
    assert (answer.status_code, answer.url) == (303, "/o/acme/")
    closed = client.get("/o/acme/")
    assert closed.status_code == 403
    assert "Acme is closed" in text(closed)
    assert "Restore" in text(closed)
    assert "Restore" not in text(signed_in(mel).get("/o/acme/"))
    assert "ask whoever administered it" in text(signed_in(mel).get("/o/acme/"))

    answer = client.post("/o/acme/restore")
    assert (answer.status_code, answer.url) == (303, "/o/acme/")
    assert client.get("/o/acme/").status_code == 200
    assert signed_in(mel).get("/o/acme/").status_code == 200


def test_who_was_no_administrator_restores_nothing(ada, mel, acme):
    organizations.close(ada, name="Acme")

    assert signed_in(mel).post("/o/acme/restore").status_code == 403
    acme.refresh_from_db()
    assert acme.closed_at


def test_when_its_time_is_over_nothing_offers_to_restore_it(ada, acme):
    organizations.close(ada, name="Acme")
    Organization.objects.update(closed_at=timezone.now() - timedelta(days=14))
    client = signed_in(ada)

    assert "Restore" not in text(client.get("/o/acme/"))
    assert client.post("/o/acme/restore").status_code == 409


def test_deleting_asks_again_who_one_is(ada, acme):
    answer = signed_in(ada, proved=False).post(f"{SETTINGS}/delete", {"name": "Acme"})

    assert (answer.status_code, answer.url.partition("?")[0]) == (303, "/account/reauthenticate/")
    acme.refresh_from_db()
    assert acme.closed_at is None
