"""Checks: the same answers as commands give, and because of what, or why not."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portico.domain import accounts, checks, lookup, memberships, tokens, workspaces
from portico.domain.checks import Because
from portico.domain.errors import Forbidden, Invalid
from portico.domain.lookup import Question
from portico.domain.permissions import (
    BILLING_MANAGE,
    MEMBERS_VIEW,
    WORKSPACES_CREATE,
    WORKSPACES_VIEW_ALL,
    catalogue,
)
from portico.domain.workspaces import Workspace
from tests import cast

OWN_PERMISSIONS = """
[[permission]]
name = "reports.read"
label = "Read reports"
sentence = "Open the reports"

[[permission]]
name = "pages.publish"
label = "Publish pages"
sentence = "Publish the pages of a workspace"
scope = "workspace"
seats = ["manager", "member"]
"""


@pytest.fixture(autouse=True)
def own_permissions(operators_permissions):
    operators_permissions(OWN_PERMISSIONS)
    checks.forget()
    yield
    checks.forget()


def ask(actor, user, permission, workspace=None):
    [answer] = checks.ask(actor, [Question(user, permission, workspace)])
    return answer


def asked_by_token(secret, organization, question):
    """As the door asks for a token: one statement, and what it decides."""
    from django.db import connection

    sql, values = lookup.parameters(tokens.bytes_of(secret), organization, question)
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone()
    if row is None:
        return None
    row = lookup.typed(row)
    asker, found = lookup.asker_in(row), lookup.found_in(row)
    now = timezone.now()
    view = checks.view_of(asker, found, now)
    if not checks.is_good(asker, now) or not checks.may_ask(asker, [found], view):
        return "the long way"
    return checks.decide(question, found, view, now)


@pytest.fixture
def everybody(ada, acme, mel, ivy, developer, payments):
    """People with every kind of grant and state, and their seats."""
    dev = cast.joined(acme, cast.person("Dev"), developer)
    ann = cast.joined(acme, cast.person("Ann"), cast.custom(MEMBERS_VIEW, BILLING_MANAGE))
    none = cast.joined(acme, cast.person("Nobody"), cast.custom())
    out = cast.joined(acme, cast.person("Out"), developer)
    late = cast.joined(acme, cast.person("Late"), developer, expires_at=timezone.now() + timedelta(days=1))
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    workspaces.give_seat(ada, workspace=payments, member=dev.membership, role="manager")
    memberships.change(ada, member=out.membership, status="suspended")
    type(late.membership).objects.filter(pk=late.membership.pk).update(expires_at=timezone.now() - timedelta(hours=1))
    return [ada, mel, ivy, dev, ann, none, out, late]


@pytest.mark.parametrize("named", ["id", "address"])
def test_a_check_allows_exactly_what_commands_allow(ada, everybody, payments, named):
    gone = workspaces.create(ada, name="Archived")
    workspaces.archive(ada, workspace=gone)
    questions, expected = [], []
    for member in everybody:
        member.refresh()
        for place in (None, payments, gone):
            for permission in catalogue().every:
                user = str(member.id) if named == "id" else member.membership.address
                questions.append(Question(user, permission.name, place and place.slug))
                now = Workspace.objects.get(pk=place.pk) if place else None
                needs_place = permission.scope == "workspace" and now is None
                expected.append(not needs_place and member.can(permission, now))

    answers = checks.ask(ada, questions)

    assert [answer.allowed for answer in answers] == expected
    assert any(expected)
    assert not all(expected)


def test_one_question_of_a_token_is_answered_as_many_of_an_actor(ada, acme, everybody, payments):
    secret = tokens.issue_service(ada, name="Product").secret
    for member in everybody:
        for permission in (MEMBERS_VIEW, WORKSPACES_CREATE, catalogue().find("pages.publish")):
            for place in (None, payments.slug, str(payments.pk), "nowhere"):
                for user in (str(member.id), member.membership.address.upper()):
                    question = Question(user, permission.name, place)
                    for organization in (acme.slug, str(acme.pk)):
                        assert asked_by_token(secret, organization, question) == ask(ada, *question)


def test_an_account_that_cannot_sign_in_may_do_nothing(ada, acme, mel, payments):
    secret = tokens.issue_service(ada, name="Product").secret
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    accounts.disable(cast.operator(None), mel.membership.user)

    for question in (Question(str(mel.id), "members.view"), Question("mel@example.org", "pages.publish", "payments")):
        assert ask(ada, *question).reason == "suspended"
        assert asked_by_token(secret, acme.slug, question).reason == "suspended"


@pytest.mark.parametrize(
    ("who", "permission", "place", "because"),
    [
        ("ada@example.org", "billing.manage", None, Because("administrator", "administrator")),
        ("dev@example.org", "workspaces.create", None, Because("role", "developer")),
        ("ann@example.org", "billing.manage", None, Because("custom", None)),
        ("ivy@example.org", "members.view", None, Because("implied", "members.manage")),
        ("mel@example.org", "pages.publish", "payments", Because("seat", "member")),
        ("dev@example.org", "workspace.view", "payments", Because("implied", "workspace.manage")),
        ("dev@example.org", "workspace.manage", "payments", Because("seat", "manager")),
        ("dev@example.org", "workspaces.create", "payments", Because("role", "developer")),
    ],
)
def test_a_yes_says_because_of_what(ada, everybody, who, permission, place, because):
    assert ask(ada, who, permission, place).because == because


@pytest.mark.parametrize(
    ("who", "permission", "place", "reason"),
    [
        ("stranger@example.org", "members.view", None, "not_a_member"),
        ("no address at all", "members.view", None, "not_a_member"),
        ("0190a000-0000-7000-8000-000000000000", "members.view", None, "not_a_member"),
        ("out@example.org", "members.view", None, "suspended"),
        ("late@example.org", "members.view", None, "expired"),
        ("mel@example.org", "workspaces.create", None, "not_granted"),
        ("mel@example.org", "reports.read", None, "not_granted"),
        ("mel@example.org", "workspace.manage", "payments", "not_granted"),
        ("ivy@example.org", "workspace.view", "payments", "no_seat"),
        ("ada@example.org", "fly.away", None, "unknown_permission"),
        ("ada@example.org", "administer", None, "unknown_permission"),
        ("mel@example.org", "workspace.view", "nowhere", "unknown_workspace"),
        ("mel@example.org", "workspace.view", None, "workspace_needed"),
    ],
)
def test_a_no_says_why(ada, everybody, who, permission, place, reason):
    assert ask(ada, who, permission, place) == checks.NO[reason]


def test_an_unverified_address_is_nobodys(ada, mel):
    cast.own(mel.membership.user, "claimed@example.org", verified=False)
    cast.own(mel.membership.user, "second@example.org")

    assert ask(ada, "claimed@example.org", "members.view").reason == "not_a_member"
    assert ask(ada, "second@example.org", "members.view").allowed


def test_another_organizations_workspace_is_unknown(ada, mel, eve):
    workspaces.create(eve, name="Theirs")

    assert ask(ada, "mel@example.org", "workspace.view", "theirs").reason == "unknown_workspace"


def test_a_former_address_of_a_workspace_still_names_it(ada, payments):
    workspaces.change(ada, workspace=payments, slug="treasury")

    assert ask(ada, "ada@example.org", "workspace.view", "payments").allowed


def test_a_member_learns_of_themselves_without_a_permission(acme):
    nobody = cast.joined(acme, cast.person("Nobody"), cast.custom())

    assert ask(nobody, str(nobody.id), "members.view").reason == "not_granted"


def test_to_ask_about_others_one_needs_to_see_members(acme, ada, mel):
    nobody = cast.joined(acme, cast.person("Nobody"), cast.custom())

    with pytest.raises(Forbidden) as refusal:
        checks.ask(nobody, [Question(str(nobody.id), "members.view"), Question(str(mel.id), "members.view")])

    assert refusal.value.code == "missing_permission"
    assert refusal.value.missing == [MEMBERS_VIEW]


def test_who_sees_no_more_than_the_name_of_a_workspace_does_not_learn_who_sits_there(acme, ada, everybody):
    looker = cast.joined(acme, cast.person("Looker"), cast.custom(MEMBERS_VIEW, WORKSPACES_VIEW_ALL))

    assert ask(looker, "mel@example.org", "workspace.view", "payments").reason == "unknown_workspace"


def test_a_token_asks_no_further_than_it_is_narrowed_to(mel, ivy, acme):
    secret = tokens.issue(ivy, name="Narrow", permissions=["workspace.view"]).secret
    wide = tokens.issue(ivy, name="Wide").secret
    question = Question(str(mel.id), "members.view")

    assert asked_by_token(secret, acme.slug, question) == "the long way"
    assert asked_by_token(secret, acme.slug, Question(str(ivy.id), "members.view")).allowed
    assert asked_by_token(wide, acme.slug, question).allowed


def test_a_token_of_elsewhere_learns_nothing_here(acme, eve, mel):
    secret = tokens.issue(eve, name="Theirs").secret

    assert asked_by_token(secret, acme.slug, Question(str(mel.id), "members.view")) == "the long way"


def test_an_unknown_secret_reads_nothing(acme, mel):
    assert asked_by_token(tokens.new_secret(), acme.slug, Question(str(mel.id), "members.view")) is None


def test_a_suspended_holder_asks_nothing_about_others(ada, ivy, mel, acme):
    secret = tokens.issue(ivy, name="Hers").secret
    memberships.change(ada, member=ivy.membership, status="suspended")

    assert asked_by_token(secret, acme.slug, Question(str(mel.id), "members.view")) == "the long way"
    assert asked_by_token(secret, acme.slug, Question(str(ivy.id), "members.view")).reason == "suspended"


def test_in_a_closed_organization_everything_is_refused(ada, acme, mel):
    service = tokens.issue_service(ada, name="Product").secret
    secret = tokens.issue(mel, name="Hers").secret
    type(acme).objects.filter(pk=acme.pk).update(closed_at=timezone.now())

    assert asked_by_token(secret, acme.slug, Question(str(mel.id), "members.view")).reason == "organization_closed"
    assert asked_by_token(service, acme.slug, Question(str(mel.id), "members.view")) == "the long way"


@pytest.mark.parametrize("count", [0, 1001])
def test_a_call_has_up_to_a_thousand_questions(ada, count):
    with pytest.raises(Invalid):
        checks.ask(ada, [Question(str(ada.id), "members.view")] * count)


def test_a_thousand_questions_are_one_statement(ada, everybody, django_assert_num_queries):
    questions = [Question(member.membership.address, "members.view", "payments") for member in everybody] * 125

    with django_assert_num_queries(1):
        assert len(checks.ask(ada, questions)) == 1000
