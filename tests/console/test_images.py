"""Pictures as browsers and mail programs fetch them, and as pages show them."""

import pytest
from django.test import Client

from portico.domain import images
from portico.domain.images import Picture
from portico.domain.organizations import Organization
from portico.uploads import AT_MOST
from tests import cast
from tests.console.browser import signed_in, text

SQUARES = Picture(large=b"large", small=b"small")


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def test_a_picture_is_for_everybody_and_for_ever():
    images.keep(SQUARES)

    answer = Client().get(f"/images/{SQUARES.name}-512.webp")

    assert answer.content == b"large"
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers
    assert "Vary" not in answer.headers  # so every cache may keep it, whoever asks


@pytest.mark.django_db
@pytest.mark.parametrize("file", ["nothing.webp", f"{'0' * 32}-64.webp", "..", "%2e%2e%2fsecret.key", "a%00b"])
def test_what_is_not_there_is_not_there(file):
    assert Client().get(f"/images/{file}").status_code == 404


def test_an_organization_without_a_picture_has_its_initial(ada):
    assert "<img" not in signed_in(ada).get("/o/acme/").content.decode()


def test_the_picture_of_an_organization_stands_where_its_initial_stood(ada):
    Organization.objects.update(image=images.keep(SQUARES))

    for path in ("/", "/o/acme/"):
        page = signed_in(ada).get(path).content.decode()
        assert f'src="/images/{SQUARES.name}-64.webp" alt=""' in page
    assert f'src="/images/{SQUARES.name}-512.webp" alt=""' in page  # where it is large
    assert "face org" not in page.replace('<img class="face org', "")


def test_the_invited_see_it(ada, contributor):
    Organization.objects.update(image=images.keep(SQUARES))
    offer = cast.invited(ada, "bob@example.org", grant=contributor)

    page = signed_in(cast.person("Bob")).get(f"/invitations/{offer.pk}").content.decode()

    assert SQUARES.name in page


def test_a_request_with_a_huge_file_is_refused_before_it_is_read(ada):
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    request = {"content_type": "multipart/form-data; boundary=x", "CONTENT_LENGTH": str(AT_MOST + 1)}

    answer = signed_in(ada).generic("POST", "/organizations/new", head, **request)

    assert answer.status_code == 413
    assert "At most 16 MB can be sent at once." in text(answer)


def test_a_request_for_another_host_is_told_nothing():
    answer = Client().get("/", headers={"host": "elsewhere.example"})

    assert answer.status_code == 400
    assert "Portico cannot read what was sent." in answer.content.decode()
