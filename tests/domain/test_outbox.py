"""Letters waiting to leave."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portico.domain import outbox
from portico.domain.outbox import Letter

pytestmark = pytest.mark.django_db


def test_a_letter_is_a_row_that_waits(acme):
    now = timezone.now()

    outbox.post("removed", "mel@example.org", organization_id=acme.pk, about=acme.pk, facts={"by": "Ada"}, now=now)

    letter = Letter.objects.get()
    assert (letter.state, letter.kind, letter.address) == ("waiting", "removed", "mel@example.org")
    assert (letter.created_at, letter.due_at, letter.priority) == (now, now, outbox.ORDINARY)
    assert (letter.facts, letter.secret, letter.secrets) == ({"by": "Ada"}, None, {})


def test_many_letters_are_written_at_once(django_assert_num_queries):
    drafts = [outbox.draft("removed", f"p{n}@example.org", organization_id=None) for n in range(200)]

    with django_assert_num_queries(1):
        outbox.post_all(drafts)

    assert Letter.objects.count() == 200


def test_a_letter_about_an_account_leaves_before_all_others(ada):
    person = ada.membership.user
    outbox.post("removed", "mel@example.org", organization_id=None)
    outbox.post_account("code", person.email, about=person.pk, secrets={"code": "123456"})

    first = Letter.objects.order_by("priority", "due_at", "id").first()
    assert (first.kind, first.organization_id, first.about) == ("code", None, person.pk)


def test_what_is_secret_in_a_letter_is_encrypted_under_the_servers_key():
    letter = outbox.post_account("code", "ada@example.org", about=None, secrets={"code": "123456"})

    stored = Letter.objects.get(pk=letter.pk)
    assert b"123456" not in bytes(stored.secret)
    assert stored.secrets == {"code": "123456"}


def test_a_former_key_still_opens_it(settings):
    letter = outbox.post_account("code", "ada@example.org", about=None, secrets={"code": "123456"})
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key", [settings.SECRET_KEY]

    assert Letter.objects.get(pk=letter.pk).secrets == {"code": "123456"}


def test_with_another_key_nothing_can_be_read(settings):
    letter = outbox.post_account("code", "ada@example.org", about=None, secrets={"code": "123456"})
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key", []

    assert Letter.objects.get(pk=letter.pk).secrets == {}


@pytest.mark.parametrize("state", ["sent", "given_up"])
def test_no_secret_outlives_its_letter(state):
    letter = outbox.post_account("code", "ada@example.org", about=None, secrets={"code": "123456"})

    with pytest.raises(IntegrityError), transaction.atomic():
        Letter.objects.filter(pk=letter.pk).update(state=state)

    Letter.objects.filter(pk=letter.pk).update(state=state, secret=None)


def test_a_letter_that_was_not_committed_does_not_exist():
    def post_and_fail():
        with transaction.atomic():
            outbox.post("removed", "mel@example.org", organization_id=None)
            raise LookupError

    with pytest.raises(LookupError):
        post_and_fail()

    assert not Letter.objects.exists()
