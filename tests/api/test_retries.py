"""Asking again with the same Idempotency-Key: it is done once, and heard as often as it is asked.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else
"""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from portico.api import organizations as operations
from portico.api.answers import Secret
from portico.delivery import daily
from portico.domain import accounts, memberships, organizations, retries, tokens
from portico.domain.organizations import Organization
from portico.domain.retries import Attempt
from tests import cast
from tests.api.asking import program
from tests.console.browser import signed_in

pytestmark = pytest.mark.django_db
ORGANIZATIONS = "/api/v1/organizations"


def post(client, body, key="k1", path=ORGANIZATIONS):
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(path, body, content_type="application/json", headers=headers)


def said(answer):
    return answer.status_code, answer.content, answer.headers.get("Location"), answer.headers.get("ETag")


def code(answer):
    return answer.status_code, answer.json()["code"]


@pytest.fixture
def browser(mel) -> Client:
    return signed_in(mel)


@pytest.fixture
def lost(monkeypatch):
    """The answer is lost after the commit."""

    def lose(*_given):
        raise ConnectionError

    monkeypatch.setattr(retries, "keep", lose)


def test_the_same_again_is_done_once_and_answered_the_same(browser):
    first = post(browser, {"name": "Third"})
    again = post(browser, {"name": "Third"})

    assert first.status_code == 201
    assert said(again) == said(first)
    assert Organization.objects.filter(name="Third").count() == 1


def test_without_a_key_it_is_done_as_often_as_it_is_asked(browser):
    assert [post(browser, {"name": "Third"}, key=None).status_code for _each in range(2)] == [201, 201]
    assert Organization.objects.filter(name="Third").count() == 2


def test_the_same_key_for_something_else_is_refused(browser):
    post(browser, {"name": "Third"})

    other = post(browser, {"name": "Fourth"})

    assert (*code(other), other.json()["field"]) == (422, "invalid", "Idempotency-Key")
    assert not Organization.objects.filter(name="Fourth").exists()


def test_a_key_is_its_askers_own_and_of_one_address(browser, ada, ivy):
    post(browser, {"name": "Third"})

    assert post(signed_in(ivy), {"name": "Third"}).json() != post(browser, {"name": "Third"}).json()
    assert post(browser, {}, path=f"{ORGANIZATIONS}/acme/handover/accept").status_code == 404


def test_a_refusal_is_an_answer_too(browser, mel):
    taken = {"name": "Third", "slug": "acme"}
    first = post(browser, taken)
    organizations.change(cast.founded("Third", by=mel.membership.user), slug="third-one")

    assert code(first) == (409, "slug_taken")
    assert said(post(browser, taken)) == said(first)


def test_whoever_proves_who_they_are_asks_the_same_again(ada, mel):
    browser = signed_in(ada, proved=False)
    asked = {"member": str(mel.membership.pk)}
    assert code(post(browser, asked, path=f"{ORGANIZATIONS}/acme/handover")) == (403, "prove_again")

    again = post(signed_in(ada), asked, path=f"{ORGANIZATIONS}/acme/handover")

    assert again.status_code == 200


def test_what_was_done_and_whose_answer_was_lost_is_not_done_again(browser, monkeypatch, lost):
    post(browser, {"name": "Third"})
    third = Organization.objects.get(name="Third")

    again = post(browser, {"name": "Third"})

    assert (*code(again), again.json()["id"]) == (409, "already_done", str(third.pk))
    assert Organization.objects.filter(name="Third").count() == 1


def test_a_secret_is_kept_nowhere(browser, monkeypatch):
    def secretly(*given):
        return Secret(b'{"secret": "ptc_x"}', status=201, content_type="application/json")

    monkeypatch.setattr(operations.answers, "made", secretly)
    first = post(browser, {"name": "Third"})
    again = post(browser, {"name": "Third"})

    assert first.json() == {"secret": "ptc_x"}
    assert code(again) == (409, "already_done")
    assert "ptc_" not in str(list(Attempt.objects.values()))


def test_while_the_first_runs_the_second_is_told_so(browser, mel, monkeypatch):
    seconds = []

    def meanwhile(person, **given):
        seconds.append(post(Client(headers={"Cookie": cookie}), {"name": "Third"}))
        return found(person, **given)

    cookie = f"session={browser.session.session_key}"
    found = organizations.found
    monkeypatch.setattr(organizations, "found", meanwhile)

    first = post(browser, {"name": "Third"})

    assert first.status_code == 201
    assert [code(each) for each in seconds] == [(409, "in_progress")]
    assert Organization.objects.filter(name="Third").count() == 1


def test_what_died_is_run_again_and_what_only_seemed_to_is_taken_back(mel):
    """Whoever took it over finishes it; the first, when it comes to its end, has done nothing."""
    asked = (mel.id, "POST /x", "k1", b"{}")
    slow = cast.signed_in(mel.membership.user)
    slow.attempt = retries.begin(*asked, timezone.now())
    later = timezone.now() + retries.RUNS_FOR
    quick = cast.signed_in(mel.membership.user)
    quick.attempt = retries.begin(*asked, later)

    organizations.found(quick, name="Third")
    with pytest.raises(retries.Refused) as refusal:
        organizations.found(slow, name="Third")

    assert refusal.value.code == "in_progress"
    assert Organization.objects.filter(name="Third").count() == 1


def test_what_broke_is_run_again(browser, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(organizations, "found", lambda *_given, **_named: 1 / 0)
        assert code(post(browser, {"name": "Third"})) == (500, "broken")

    assert post(browser, {"name": "Third"}).status_code == 201


@pytest.mark.parametrize("key", ["", "k" * 256, "\u00e9", "a\tb"])
def test_a_key_that_is_none_is_refused(browser, key):
    answer = post(browser, {"name": "Third"}, key=key)

    assert (*code(answer), answer.json()["field"]) == (422, "invalid", "Idempotency-Key")


# --- Forgetting ----------------------------------------------------------------------------------------------------


def test_a_day_later_all_of_it_is_forgotten(browser):
    post(browser, {"name": "Third"})

    with time_machine.travel(timezone.now() + timedelta(hours=23), tick=False):
        daily.run_all()
        assert Attempt.objects.count() == 1
    with time_machine.travel(timezone.now() + timedelta(hours=25), tick=False):
        assert post(browser, {"name": "Third"}).status_code == 201  # also where no worker has been by
        daily.run_all()
    assert Attempt.objects.get().begun_at > timezone.now()


def test_an_account_that_is_closed_is_named_in_no_kept_answer(ada, mel):
    def kept(key, answer):
        attempt = retries.begin(ada.id, "POST /x", key, b"", timezone.now())
        retries.keep(attempt, 422, answer, {})
        return attempt

    person = cast.signed_in(mel.membership.user)
    person.proved_at = timezone.now()
    retries.begin(mel.id, "POST /x", "mine", b"", timezone.now())
    named, by_address = kept("a", f'{{"id": "{mel.id}"}}'), kept("b", '{"email": "mel@example.org"}')
    other = kept("c", '{"email": "ann@example.org"}')
    Attempt.objects.filter(pk=named.pk).update(batch=person.batch)
    accounts.close(person)

    left = {each.pk: each.answer for each in Attempt.objects.all()}
    assert left == {named.pk: "", other.pk: '{"email": "ann@example.org"}'}
    assert by_address.pk not in left
    with pytest.raises(retries.Refused) as refusal:
        retries.begin(ada.id, "POST /x", "a", b"", timezone.now())
    assert refusal.value.code == "already_done"


def test_what_a_purged_organization_was_asked_goes_with_it(ada, mel):
    post(signed_in(ada), {"member": str(mel.membership.pk)}, path=f"{ORGANIZATIONS}/acme/handover")
    assert Attempt.objects.get().organization == ada.organization
    organizations.close(ada, name="Acme")

    assert organizations.purge_next(timezone.now() + organizations.RESTORABLE_FOR)
    assert not Attempt.objects.exists()


def test_a_token_asks_with_keys_of_its_own(ada):
    first, second = (tokens.issue(ada, name=name) for name in ("One", "Two"))

    one, two = (retries.begin(each.token.pk, "POST /x", "k", b"", timezone.now()) for each in (first, second))
    assert one.pk != two.pk


def test_what_was_answered_then_is_told_to_nobody_who_does_not_belong_there_any_more(ada, mel, payments):
    person, bot = signed_in(ada), program(ada)
    path = f"{ORGANIZATIONS}/acme/workspaces"
    one, two = {"name": "Atlas"}, {"name": "Web"}
    bea = cast.joined(ada.organization, cast.person("Bea"), cast.role(ada.organization, "administrator"))
    assert [post(person, one, "k1", path).status_code, post(bot, two, "k2", path).status_code] == [201, 201]
    memberships.change(bea, member=ada.membership, status=memberships.SUSPENDED)

    assert code(post(person, one, "k1", path)) == (403, "suspended")
    assert code(post(bot, two, "k2", path)) == (403, "suspended")
    memberships.remove(bea, members=[ada.membership])
    assert code(post(person, one, "k1", path)) == (404, "not_found")


def test_of_a_dry_run_nothing_is_kept(ada):
    path = f"{ORGANIZATIONS}/acme/invitations"
    asked = {"emails": ["ann@example.org"], "role": "developer", "dry_run": True}

    answers = [post(signed_in(ada), asked, "k1", path) for _each in range(2)]

    assert [each.json()["invited"] for each in answers] == [1, 1]
    assert not Attempt.objects.exists()
