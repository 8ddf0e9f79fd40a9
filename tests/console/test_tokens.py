"""ada administers Acme · mel is a plain member · ivy may manage members, nothing else"""

import re
from datetime import timedelta

import pytest
from django.core import signing
from django.utils import timezone
from uuid_utils.compat import uuid7

from portico.domain import tokens
from portico.domain.events import Event
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.permissions import catalogue
from portico.domain.tokens import Token
from tests import cast
from tests.console.browser import beside, section, signed_in, text

NEW, SERVICE = "/o/acme/tokens/new", "/o/acme/tokens/new/service"
FORM = {"name": "Deploy", "ends": "ephemeral", "days": "30", "reach": "full"}


def made(who, path=NEW, **typed):
    return signed_in(who).post(path, FORM | typed)


def secret_of(answer):
    [found] = re.findall(r"<textarea[^>]*>(ptc_[0-9A-Za-z]{36})</textarea>", answer.content.decode())
    return found


def once_of(answer):
    [found] = re.findall(r'name="once" value="([^"]+)"', answer.content.decode())
    return found


def boxes(answer):
    """Each permission of the form, by what stands in its box: ticked, closed, or nothing."""
    found = re.findall(r'name="grant" value="([^"]+)"[^>]*?( checked)?( disabled)?>', answer.content.decode())
    return {name: (checked + disabled).strip() for name, checked, disabled in found}


# --- Making one -------------------------------------------------------------------------------------------------------


def test_a_token_is_shown_once_and_works(mel):
    answer = made(mel)

    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    actor = tokens.authenticate(secret_of(answer), cast.VIA, timezone.now())
    assert (actor.membership, actor.token.name) == (mel.membership, "Deploy")
    assert actor.token.expires_at - actor.token.created_at == timedelta(days=30)
    assert secret_of(answer) not in signed_in(mel).get(f"/o/acme/tokens/{actor.token.pk}").content.decode()


def test_the_secret_is_in_no_cookie_and_no_address(mel):
    client = signed_in(mel)
    answer = client.post(NEW, FORM)

    assert not answer.has_header("Location")
    assert not any(secret_of(answer) in cookie.value for cookie in client.cookies.values())
    assert secret_of(answer) not in str(dict(client.session.items()))


def test_reloading_makes_no_second_one_and_shows_nothing_again(mel):
    client = signed_in(mel)
    form = FORM | {"once": once_of(client.get(NEW))}
    secret = secret_of(client.post(NEW, form))

    again = client.post(NEW, form, follow=True)

    assert again.redirect_chain == [("/o/acme/tokens", 303)]
    assert "Its secret was shown then" in text(again)
    assert secret not in again.content.decode()
    assert Token.objects.count() == 1


def test_each_form_makes_a_token_of_its_own(mel):
    client = signed_in(mel)
    for _form in range(2):
        client.post(NEW, FORM | {"once": once_of(client.get(NEW))})

    assert Token.objects.count() == 2


def test_what_was_wrong_first_is_made_once_it_is_right(mel):
    client = signed_in(mel)
    wrong = client.post(NEW, FORM | {"name": "", "once": once_of(client.get(NEW))})

    right = client.post(NEW, FORM | {"once": once_of(wrong)})

    assert (wrong.status_code, right.status_code) == (422, 200)


def test_nobody_names_the_row_of_another_by_the_id_in_the_form(ada, mel):
    theirs = signing.dumps(str(uuid7()), salt=f"portico token {ada.membership.pk}")

    for forged in (str(uuid7()), theirs, "\0"):
        answer = made(mel, once=forged)
        assert answer.status_code == 422
        assert "Reload the page and try again." in text(answer)
    assert not Token.objects.exists()


def test_a_perpetual_token_has_no_end_whatever_the_days_say(mel):
    made(mel, ends="perpetual", days="nonsense")

    assert Token.objects.get().expires_at is None


def test_a_granular_token_has_what_is_ticked(ada):
    answer = made(ada, reach="granular", grant=["members.view", "workspace.view"])

    assert "2 permissions" in text(answer)
    assert Token.objects.get().limit.names == ["members.view", "workspace.view"]


def test_select_all_ticks_what_one_may_give(mel):
    made(mel, reach="granular", all="grant")

    assert Token.objects.get().limit.names == ["members.view", "workspace.manage", "workspace.view"]


def test_what_one_does_not_hold_cannot_be_ticked_and_says_why(mel):
    form = signed_in(mel).get(NEW)

    assert [name for name, state in boxes(form).items() if not state] == [
        "members.view", "workspace.view", "workspace.manage"
    ]  # fmt: skip
    assert text(form).count("You cannot give this, because you do not hold it.") == 5


def test_what_is_ticked_nevertheless_is_refused_and_named(mel):
    answer = made(mel, reach="granular", grant=["members.view", "billing.manage"])

    assert answer.status_code == 403
    assert "You do not hold: Manage billing information for organization." in text(answer)
    assert boxes(answer)["members.view"] == "checked"


@pytest.mark.parametrize(
    ("typed", "field", "sentence"),
    [
        ({"name": "www.example.org"}, "name", "A name cannot contain a web address"),
        ({"days": "0"}, "days", "A token lives for 1 to 3650 days"),
        ({"days": "soon"}, "days", "A token lives for 1 to 3650 days"),
        ({"days": "9" * 40}, "days", "A token lives for 1 to 3650 days"),
        ({"ends": ""}, "ends", "Choose whether the token ends."),
        ({"reach": ""}, "reach", "Choose full access, or granular"),
        ({"reach": "granular"}, "permissions", "Choose at least one permission"),
        ({"reach": "granular", "grant": "no.such"}, "permissions", "There is no permission “no.such”."),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_the_rest_is_kept(mel, typed, field, sentence):
    answer = made(mel, **{"name": "Nightly build", "days": "7"} | typed)

    assert answer.status_code == 422
    assert sentence in answer.content.decode().partition(f'id="{field}-wrong"')[2][:400]
    assert 'value="Nightly build"' in answer.content.decode() or field == "name"
    assert 'value="7"' in answer.content.decode() or field == "days"
    assert not Token.objects.exists()


def test_all_that_is_wrong_is_said_at_once(mel):
    answer = made(mel, name="", days="0", reach="granular")

    assert beside(answer, "name") == "Write a name."
    assert beside(answer, "days").startswith("A token lives")
    assert answer.content.decode().count('class="wrong"') == 3


# --- Service tokens ---------------------------------------------------------------------------------------------------


def test_an_administrator_makes_a_service_token(ada):
    answer = made(ada, SERVICE, name="Shop", reach="granular", grant="members.view")

    token = Token.objects.get()
    assert (token.membership, token.limit.names) == (None, ["members.view"])
    assert section(page_of(ada, token), "History").startswith("History Ada made the service token Shop")
    assert 'href="/o/acme/tokens?show=service"' in answer.content.decode()


def test_a_service_token_offers_only_what_reads(ada):
    assert boxes(signed_in(ada).get(SERVICE)) == {"members.view": "", "workspaces.view_all": ""}


@pytest.mark.parametrize("path", [SERVICE, "/o/acme/tokens/{pk}"])
def test_service_tokens_ask_who_it_is_first(ada, path):
    token = tokens.issue_service(ada, name="Shop").token

    answer = signed_in(ada, proved=False).post(path.format(pk=token.pk), FORM)

    assert (answer.status_code, answer.url.partition("?")[0]) == (303, "/account/reauthenticate/")
    assert list(Token.objects.all()) == [token]


# --- The list ---------------------------------------------------------------------------------------------------------


def test_whoever_has_none_is_told_what_to_do_first(mel):
    page = signed_in(mel).get("/o/acme/tokens")

    assert "You have no token yet" in text(page)
    assert f'href="{NEW}"' in page.content.decode()


def test_one_sees_ones_own_with_their_reach_end_and_last_use(mel, ivy):
    tokens.issue(mel, name="Deploy", days=None)
    issued = tokens.issue(mel, name="Nightly", permissions=["members.view"])
    tokens.issue(ivy, name="Not mine")
    tokens.used(issued.token, timezone.now() - timedelta(hours=3))

    page = text(signed_in(mel).get("/o/acme/tokens?show=all"))

    assert f"Nightly {issued.token.prefix}… · 1 permission Ephemeral ends" in page
    assert "Used 3 hours ago" in page
    assert "· Full access as Contributor Perpetual Never used" in page
    assert "Not mine" not in page
    assert "Service tokens" not in page


def test_administrators_see_everybodys_and_the_organizations(ada, mel):
    tokens.issue(ada, name="Mine")
    tokens.issue(mel, name="Deploy")
    tokens.issue_service(ada, name="Shop")
    client = signed_in(ada)
    pages = {show: text(client.get(f"/o/acme/tokens?show={show}")) for show in ("", "all", "service", "nonsense")}

    found = {show: [name for name in ("Mine ptc", "Deploy Mel", "Shop ptc") if name in pages[show]] for show in pages}
    assert found == {"": ["Mine ptc"], "all": ["Deploy Mel"], "service": ["Shop ptc"], "nonsense": ["Mine ptc"]}
    assert "Mine Ada" in pages["all"]
    assert "· Reads and checks" in pages["service"]


@pytest.mark.parametrize("field", ["suspended_at", "expires_at"])
def test_the_token_of_somebody_who_may_do_nothing_is_powerless(ada, mel, field):
    tokens.issue(mel, name="Deploy")
    Membership.objects.filter(pk=mel.membership.pk).update(**{field: timezone.now()})

    assert "Powerless its member is suspended or expired" in text(signed_in(ada).get("/o/acme/tokens?show=all"))


def test_a_token_past_its_end_says_so(mel):
    tokens.issue(mel, name="Deploy", days=1)
    Token.objects.update(expires_at=timezone.now() - timedelta(hours=2))

    assert "Expired 2 hours ago" in text(signed_in(mel).get("/o/acme/tokens"))


def test_a_long_list_has_pages(mel):
    for number in range(51):
        tokens.issue(mel, name=f"Number {number}")
    client = signed_in(mel)

    assert "1 to 50 of 51" in text(client.get("/o/acme/tokens"))
    assert "Number 0 " in text(client.get("/o/acme/tokens?page=2"))


def test_the_number_of_statements_does_not_grow_with_the_list(ada, mel, django_assert_max_num_queries):
    for number in range(30):
        tokens.issue(mel, name=f"Number {number}", permissions=["members.view"])
    client = signed_in(ada)

    with django_assert_max_num_queries(9):
        client.get("/o/acme/tokens?show=all")


# --- One of them ------------------------------------------------------------------------------------------------------


def page_of(who, token):
    return signed_in(who).get(f"/o/acme/tokens/{token.pk}")


def test_the_page_says_what_comes_through_now_and_what_does_not(ada, mel):
    token = tokens.issue(ada, name="Deploy", permissions=["billing.manage", "members.view", "workspace.view"]).token
    Membership.objects.filter(pk=ada.membership.pk).update(grant=mel.membership.grant)

    page = text(page_of(ada, token))

    assert "View members of the organization See who belongs to the organization" in page
    assert "Manage billing information for organization Not now: its member does not hold it." in page
    assert "View this workspace Where its member has a seat that gives it." in page


def test_full_access_shows_what_the_member_holds_now(ada, mel):
    page = text(page_of(ada, tokens.issue(mel, name="Deploy").token))

    assert "Everything that Mel may do at that moment, in workspaces too." in page
    held = [permission.name for permission in catalogue().every if str(permission.sentence) in page]
    assert held == ["members.view"]


def test_revoking_is_told_and_leads_back_to_its_list(ada, mel):
    own, others = tokens.issue(ada, name="Mine").token, tokens.issue(mel, name="Deploy").token
    service = tokens.issue_service(ada, name="Shop").token
    client = signed_in(ada)
    for token, show in ((own, ""), (others, "?show=all"), (service, "?show=service")):
        answer = client.post(f"/o/acme/tokens/{token.pk}", follow=True)
        assert answer.redirect_chain == [(f"/o/acme/tokens{show}", 303)]
        assert f"{token.name} is revoked." in text(answer)

    assert not Token.objects.exists()


def test_the_page_says_which_offers_end_and_revoking_which_have(ada, ivy, contributor):
    issued = tokens.issue(ivy, name="Onboarding")
    cast.invite(tokens.actor_of(issued.token, cast.VIA, timezone.now()), "ann@example.org", grant=contributor)
    client = signed_in(ada)
    page = client.get(f"/o/acme/tokens/{issued.token.pk}")

    assert "1 invitation is revoked: ann@example.org Take it over: it goes on in my name" in text(page)
    answer = client.post(f"/o/acme/tokens/{issued.token.pk}", follow=True)
    assert "Onboarding is revoked. 1 invitation is revoked: ann@example.org." in text(answer)
    assert Invitation.objects.get().state == "revoked"


def test_the_offers_can_be_taken_over(ada, ivy, contributor):
    issued = tokens.issue(ivy, name="Onboarding")
    cast.invite(tokens.actor_of(issued.token, cast.VIA, timezone.now()), "ann@example.org", grant=contributor)

    signed_in(ada).post(f"/o/acme/tokens/{issued.token.pk}", {"take_over": "yes"})

    offer = Invitation.objects.get()
    assert (offer.state, offer.sponsor) == ("pending", ada.membership)


def test_a_token_that_is_gone_is_not_there(mel):
    token = tokens.issue(mel, name="Deploy").token
    client = signed_in(mel)
    client.post(f"/o/acme/tokens/{token.pk}")

    assert client.post(f"/o/acme/tokens/{token.pk}").status_code == 404
    assert Event.objects.filter(action="token.revoked").count() == 1


def test_before_somebody_is_removed_the_page_counts_their_tokens(ada, mel):
    path = f"/o/acme/users/{mel.membership.pk}/remove"
    client = signed_in(ada)
    assert "token" not in text(client.get(path)).partition("What ends with it")[2]
    tokens.issue(mel, name="Deploy")
    assert "1 token, and whatever program uses it" in text(client.get(path))
    tokens.issue(mel, name="Nightly")
    selected = client.post("/o/acme/users/selected", {"do": "remove", "who": [str(mel.membership.pk)]})

    assert "2 tokens, and whatever programs use them" in text(selected)
