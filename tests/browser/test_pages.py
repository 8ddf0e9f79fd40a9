"""Every page, in every state that somebody may find it in: axe finds nothing, at 1280 and at 320 pixels, light and
dark; nothing scrolls sideways; no other host is asked; no script and no rule for content complains.
"""

from collections.abc import Callable

import pytest

from tests.browser.installation import Installation
from tests.browser.looks import flaws
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.usefixtures("example")

AMARA, KWABENA, AROHA = "amara.okafor@meroorg.example", "k.asante@meroorg.example", "aroha@meroorg.example"
LENA, TOMAS, QUENTIN = "lena@meroorg.example", "tomas@meroorg.example", "quentin@quiet.example"
NORA, ANOUK, ODD = "nora@northwind.example", "anouk@atelier.example", "odd@nowhere.example"
ELSEWHERE = "elsewhere.example"
THEIRS, ACCEPTED = f"theirs@{ELSEWHERE}", f"accepted@{ELSEWHERE}"
LONG = f"{'m' * 60}@{'waldsee' * 5}.meroorg.example"

LONG_NAME = "Maximiliane Hildegard Adelheid von Waldburg-Zeil-Trauchberg-Wolfegg und Waldsee"

At = Callable[..., Visitor]


@pytest.mark.parametrize(
    ("who", "path", "heading"),
    [
        (THEIRS, "/", "My organizations"),
        (ODD, "/", "You belong nowhere yet"),
        (AMARA, "/organizations/new", "Create an organization"),
        (AMARA, "/api/docs", "REST API"),
        (AMARA, "/o/meroorg/", "Meroorg"),
        (AROHA, "/o/meroorg/", "Meroorg"),
        (QUENTIN, "/o/quiet/", "Quiet"),
        (LENA, "/o/meroorg/", "Your membership is suspended"),
        (TOMAS, "/o/meroorg/", "Your membership has ended"),
        (ANOUK, "/o/atelier/", "Atelier is closed"),
        (AMARA, "/o/meroorg/users", "Organization users"),
        (KWABENA, "/o/meroorg/users", "Organization users"),
        (AROHA, "/o/meroorg/users", "Organization users"),
        (QUENTIN, "/o/quiet/users", "Organization users"),
        (AMARA, "/o/meroorg/users?q=nobody", "Organization users"),
        (AMARA, "/o/meroorg/users?state=undelivered", "Organization users"),
        (AMARA, "/o/meroorg/users?role=none&state=suspended", "Organization users"),
        (AMARA, "/o/meroorg/users/former", "Former members"),
        (QUENTIN, "/o/quiet/users/former", "Former members"),
        (AMARA, "/o/meroorg/users/invite", "Invite user to Meroorg organization"),
        (KWABENA, "/o/meroorg/users/invite", "Invite user to Meroorg organization"),
        (AMARA, "/o/meroorg/roles", "Roles"),
        (AROHA, "/o/meroorg/roles", "Roles"),
        (QUENTIN, "/o/quiet/roles", "Roles"),
        (AMARA, "/o/meroorg/roles/new?like=administrator", "Add a role"),
        (AMARA, "/o/meroorg/roles/people-lead", "People lead"),
        (AMARA, "/o/meroorg/roles/administrator", "Administrator"),
        (AROHA, "/o/meroorg/roles/developer", "Developer"),
        (AMARA, "/o/meroorg/roles/people-lead/delete", "Delete the role People lead?"),
        (AMARA, "/o/meroorg/workspaces", "Workspaces"),
        (AMARA, "/o/meroorg/workspaces?show=all", "Workspaces"),
        (QUENTIN, "/o/quiet/workspaces", "Workspaces"),
        (AROHA, "/o/meroorg/workspaces", "Workspaces"),
        (AMARA, "/o/meroorg/workspaces/new", "Create a workspace"),
        (AMARA, "/o/meroorg/workspaces/atlas", "Atlas"),
        (AROHA, "/o/meroorg/workspaces/field-ops", "Field ops"),
        (AMARA, "/o/meroorg/workspaces/harbour", "Harbour"),
        (AMARA, "/o/meroorg/settings", "Settings"),
        (AROHA, "/o/meroorg/settings", "Settings"),
        (AMARA, "/o/meroorg/settings/delete", "Delete Meroorg?"),
        (AMARA, "/o/meroorg/handover", "Hand over Meroorg"),
        (AROHA, "/o/meroorg/handover", "No offer waits for you"),
        (NORA, "/o/northwind-cooperative/handover", "Hand over Northwind Cooperative"),
        (ACCEPTED, "/o/northwind-cooperative/handover", "Become an Administrator of Northwind Cooperative?"),
        (ACCEPTED, "/o/northwind-cooperative/", "Northwind Cooperative"),
        (AMARA, "/o/meroorg/tokens", "Tokens"),
        (AMARA, "/o/meroorg/tokens?show=all", "Tokens"),
        (AMARA, "/o/meroorg/tokens?show=service", "Tokens"),
        (QUENTIN, "/o/quiet/tokens", "Tokens"),
        (QUENTIN, "/o/quiet/tokens?show=service", "Tokens"),
        (AROHA, "/o/meroorg/tokens/new", "New token"),
        (AMARA, "/o/meroorg/tokens/new/service", "New service token"),
        (AMARA, "/o/meroorg/workspaces?show=archived", "Workspaces"),
        (QUENTIN, "/o/quiet/workspaces?show=archived", "Workspaces"),
        (AMARA, "/o/meroorg/workspaces/atlas/edit", "Edit Atlas"),
        (AMARA, "/o/meroorg/workspaces/atlas/archive", "Archive Atlas?"),
        (AMARA, "/o/meroorg/workspaces/harbour/restore", "Restore Harbour?"),
        (AMARA, "/o/meroorg/workspaces/harbour/delete", "Delete Harbour?"),
        (AMARA, "/o/meroorg/billing", "Billing information"),
        (QUENTIN, "/o/quiet/billing", "Billing information"),
        (AMARA, "/o/meroorg/events", "Audit log"),
        (QUENTIN, "/o/quiet/events", "Audit log"),
        (AMARA, "/o/meroorg/events?q=nobody", "Audit log"),
        (AMARA, "/o/meroorg/events?since=2026-02-01&until=2026-01-01", "Audit log"),
        (KWABENA, "/o/meroorg/events", "Not allowed"),
        (AMARA, "/o/meroorg/nothing", "Nothing here"),
        (AROHA, "/o/meroorg/users/invite", "Not allowed"),
        (AMARA, "/account/", "Amara Okafor"),
        (AMARA, "/account/email/", "Addresses"),
        (AMARA, "/account/password/change/", "Change the password"),
        (AMARA, "/account/reauthenticate/", "Is it you?"),
        (AMARA, "/account/logout/", "Sign out"),
        (AMARA, "/account/sessions/", "Sessions"),
        (AMARA, "/account/organizations", "My organizations"),
        (ODD, "/account/organizations", "My organizations"),
        (AMARA, "/account/events", "What happened"),
        (AMARA, "/account/second-factor/", "Second factor"),
        (AMARA, "/account/close", "Close the account?"),
        (QUENTIN, "/account/close", "Close the account?"),
    ],
)
def test_a_page(at: At, who: str, path: str, heading: str) -> None:
    somebody = at(who, path)

    somebody.sees_heading(heading)
    assert flaws(somebody.page) == []


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/account/login/", "Log in"),
        ("/account/signup/", "Create an account"),
        ("/account/password/reset/", "Forgot the password?"),
        ("/account/password/reset/key/1-nonsense/", "This link no longer works"),
        ("/join/nonsense", "This link is unknown"),
        ("/nowhere", "Nothing here"),
    ],
)
def test_a_page_for_those_who_are_signed_out(visitor: At, path: str, heading: str) -> None:
    stranger = visitor()
    stranger.open(path)

    stranger.sees_heading(heading)
    assert flaws(stranger.page) == []


@pytest.mark.parametrize(
    ("who", "whose"),
    [
        (AMARA, "hiroshi.tanaka@meroorg.example"),
        (AMARA, AMARA),
        (AMARA, LONG),
        (AMARA, LENA),
        (KWABENA, AMARA),
        (AROHA, "ivana@meroorg.example"),
        (AROHA, AROHA),
        (AMARA, "sofia.reyes@meroorg.example"),
        (AMARA, "j.whitfield@harrow-joinery.example"),
        (AMARA, "old@meroorg.example"),
        (AMARA, "withdrawn@meroorg.example"),
        (KWABENA, "sofia.reyes@meroorg.example"),
        (AMARA, "k.asante@meroorg.example/remove"),
        (AMARA, "k.asante@meroorg.example/suspend"),
        (AMARA, "k.asante@meroorg.example/history"),
        (AMARA, "noor@meroorg.example"),
        (AMARA, f"{AMARA}/remove"),
    ],
)
def test_the_page_of_one_user(at: At, example: dict[str, str], who: str, whose: str) -> None:
    address, _, further = whose.partition("/")
    somebody = at(who, "/".join(filter(None, [example[f"meroorg/{address}"], further])))

    assert flaws(somebody.page) == []


def test_whom_one_could_bring_back(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/users/former")
    amara.follow("Petra Novák")

    amara.sees_heading("Bring Petra Novák back to Meroorg?")
    assert flaws(amara.page) == []


def test_an_end_that_lies_in_the_past(at: At, example: dict[str, str]) -> None:
    noor = example["meroorg/noor@meroorg.example"]
    amara = at(AMARA, noor)
    amara.send(f"{noor}/end", ends_on="2001-01-01")

    amara.sees("The end of the membership lies in the past.")
    assert flaws(amara.page) == []


# --- Menus ---------------------------------------------------------------------------------------------------------


def test_the_menu_of_the_account(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/workspaces")
    amara.unfold("Account of Amara Okafor")

    assert amara.page.get_by_role("button", name="Sign out").is_visible()
    assert flaws(amara.page) == []


def test_the_switcher_of_organizations(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/workspaces")
    amara.unfold("switch organization")

    assert amara.page.get_by_role("link", name="Create an organization").is_visible()
    assert flaws(amara.page) == []


def test_the_navigation_of_a_narrow_page(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/workspaces", viewport={"width": 320, "height": 800})
    assert not amara.page.get_by_role("link", name="Overview").is_visible()
    amara.unfold("Menu")

    assert amara.page.get_by_role("link", name="Overview").is_visible()
    assert flaws(amara.page, widths=[320]) == []


# --- Organization users --------------------------------------------------------------------------------------------


def test_several_are_selected(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/users?sort=name")
    amara.tick("Select Hiroshi Tanaka")
    amara.tick("Select sofia.reyes@meroorg.example")

    assert amara.page.get_by_role("button", name="Resend").is_visible()
    assert flaws(amara.page) == []


def test_several_are_about_to_be_removed(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/users")
    amara.tick("Select Hiroshi Tanaka")
    amara.tick("Select Kwabena Asante-Boateng")
    amara.press("Remove")

    amara.sees_heading("Remove 2 people from Meroorg?")
    amara.sees("f.haidari@meroorg.example")
    assert flaws(amara.page) == []


def test_nobody_was_selected(at: At) -> None:
    quentin = at(QUENTIN, "/o/quiet/users")
    quentin.send("/o/quiet/users/selected", do="resend")

    assert quentin.page.get_by_role("alert").is_visible()
    assert flaws(quentin.page) == []


def test_some_were_left_as_they_are(at: At, example: dict[str, str]) -> None:
    kwabena = at(KWABENA, "/o/meroorg/users?q=ivana")
    ivana = example["meroorg/ivana@meroorg.example"].rpartition("/")[2]
    kwabena.send("/o/meroorg/users/selected", do="remove", who=ivana, confirmed="yes", q="ivana")

    kwabena.sees("You do not hold")
    assert flaws(kwabena.page) == []


def test_the_last_administrator_stays(at: At, example: dict[str, str]) -> None:
    quentin = at(QUENTIN, f"{example[f'quiet/{QUENTIN}']}/remove")
    quentin.press("Leave organization")

    quentin.sees("Quiet needs an active administrator")
    assert flaws(quentin.page) == []


# --- One user ------------------------------------------------------------------------------------------------------


def test_a_role_and_boxes_that_differ(at: At, example: dict[str, str]) -> None:
    path = example["meroorg/hiroshi.tanaka@meroorg.example"]
    amara = at(AMARA, path)
    amara.send(path, role="contributor", grant=["billing.manage", "members.view"])

    amara.sees("Which of the two do you mean?")
    assert flaws(amara.page) == []


def test_somebody_changed_it_meanwhile(at: At, example: dict[str, str]) -> None:
    path = example["meroorg/hiroshi.tanaka@meroorg.example"]
    amara = at(AMARA, path)
    amara.send(path, role="contributor", grant="members.view", version="77")

    amara.sees("Somebody changed this meanwhile.")
    assert flaws(amara.page) == []


def test_what_a_change_would_end(at: At, example: dict[str, str]) -> None:
    path = example[f"meroorg/{KWABENA}"]
    amara = at(AMARA, path)
    amara.send(path, role="contributor", grant="members.view")

    amara.sees("f.haidari@meroorg.example")
    assert flaws(amara.page) == []


def test_an_invitation_that_cannot_be_sent_again_like_this(at: At, example: dict[str, str]) -> None:
    path = example["meroorg/sofia.reyes@meroorg.example"]
    amara = at(AMARA, path)
    amara.send(path, do="resend", days="99")

    amara.sees("A link works for 1 to 30 days.")
    assert flaws(amara.page) == []


def test_a_link_to_hand_over(at: At, visitor: At, example: dict[str, str]) -> None:
    """On the page that makes it, and where it leads."""
    amara = at(AMARA, example["meroorg/sofia.reyes@meroorg.example"])
    amara.press("Make a link")
    amara.sees("It is shown this once.")
    assert flaws(amara.page) == []

    bearer = visitor()
    bearer.open(amara.page.locator("#link").input_value())
    bearer.sees_heading("Join Meroorg")
    assert bearer.page.get_by_role("button", name="Decline").count() == 0
    assert flaws(bearer.page) == []


# --- Tokens --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Onboarding", LONG_NAME, "Last year’s import", "Map shop", "Holiday calendar"])
def test_one_token(at: At, name: str) -> None:
    show = {"Map shop": "service", "Holiday calendar": "all"}.get(name, "")
    amara = at(AMARA, f"/o/meroorg/tokens?show={show}")
    amara.follow(name)

    amara.sees_heading(name)
    assert flaws(amara.page) == []


# --- Roles ---------------------------------------------------------------------------------------------------------


def test_what_a_change_of_a_role_does(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/roles/developer")
    amara.tick("Manage billing information")
    amara.page.get_by_role("checkbox", name="Create new workspace").uncheck()

    amara.sees("What this changes", "Gained", "Lost")
    assert flaws(amara.page) == []


def test_a_role_in_use_is_not_deleted(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/roles/people-lead/delete")
    amara.press("Delete role")
    amara.sees("People lead is in use: by lead@meroorg.example.")
    assert flaws(amara.page) == []

    amara.page.set_viewport_size({"width": 1280, "height": 800})
    amara.choose("Move everybody to", "Contributor")
    amara.sees("What this changes")
    assert flaws(amara.page) == []


def test_a_role_was_changed_meanwhile(at: At) -> None:
    path = "/o/meroorg/roles/people-lead"
    amara = at(AMARA, path)
    amara.send(path, do="save", name="Developer", version="77")

    amara.sees("Somebody changed this meanwhile.")
    assert flaws(amara.page) == []


def test_a_role_whose_name_is_taken(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/roles/new")
    amara.type("Name", "Developer")
    amara.press("Add role")

    amara.sees("There is a role “Developer” already.")
    assert flaws(amara.page) == []


def test_several_get_another_role(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/users")
    amara.tick("Select Hiroshi Tanaka")
    amara.tick("Select Kwabena Asante-Boateng")
    amara.press("Change role")
    amara.pick("Contributor")

    amara.sees("f.haidari@meroorg.example")
    assert flaws(amara.page) == []


# --- Invite --------------------------------------------------------------------------------------------------------

MIXED = f"ann@example.org, bob@example.org; kofi@@example.org\n{AMARA} sofia.reyes@meroorg.example ann@example.org"


def test_a_live_review(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/users/invite")
    amara.type("Email", MIXED)
    amara.pick("Developer")
    amara.sees("2 people will be invited as Developer.")
    amara.choose("bob@example.org", "Contributor")

    amara.sees("1 person will be invited as Contributor.", "4 addresses will not be invited")
    assert flaws(amara.page) == []


def test_a_review_without_script(visitor: At, at: At) -> None:
    """axe is a script itself. So it gets the page as it is without: no other script comes, the stylesheet is told."""
    amara = visitor(storage_state=at(AMARA, "/account/").context.storage_state())
    amara.context.route("**/*.js", lambda route: route.fulfill(body=""))
    amara.context.route(
        "**/*.css",
        lambda route: route.fulfill(
            response=(sent := route.fetch()),
            body=sent.text().replace("(scripting:enabled)", "not all"),
        ),
    )
    amara.open("/o/meroorg/users/invite")
    amara.type("Email", MIXED)
    amara.pick("Developer")
    amara.press("Review")

    amara.sees("2 people will be invited as Developer.")
    assert flaws(amara.page) == []


def test_nobody_could_be_invited(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/users/invite")
    amara.send("/o/meroorg/users/invite", do="invite", role="developer", emails=f"kofi@@example.org, {AMARA}")

    amara.sees("kofi@@example.org", "already belongs here")
    assert flaws(amara.page) == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({}, "Choose a role"),
        ({"role": "developer", "grant": "billing.manage"}, "Which of the two do you mean?"),
        ({"role": "developer", "days": "99"}, "A link works for 1 to 30 days."),
        ({"role": "developer", "until": "2001-01-01"}, "The end of the membership lies in the past."),
        ({"role": "developer", "message": "x" * 1001}, "1000"),
        ({"role": "developer", "emails": ""}, "Write at least one address."),
    ],
)
def test_each_error_of_an_invitation(at: At, wrong: dict[str, str], sentence: str) -> None:
    amara = at(AMARA, "/o/meroorg/users/invite")
    amara.send("/o/meroorg/users/invite", **{"do": "invite", "emails": "ann@example.org"} | wrong)

    amara.sees(sentence)
    assert flaws(amara.page) == []


def test_a_file_that_is_no_csv(at: At, tmp_path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes("name;e-mail\nJörg;joerg@example.org\n".encode("latin-1"))
    amara = at(AMARA, "/o/meroorg/users/invite")
    amara.page.get_by_label("CSV").set_input_files(file)

    amara.sees("UTF-8")
    assert flaws(amara.page) == []


# --- Workspaces and organizations ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/organizations/new", "/o/meroorg/workspaces/new", "/o/meroorg/workspaces/atlas/edit"]
)
def test_each_error_of_something_new(at: At, path: str) -> None:
    amara = at(AMARA, path)
    amara.send(path, name="<b>www.example.org</b>", slug="-", description="x" * 201, color="infrared")

    assert amara.page.locator(".wrong").count() >= 3
    assert flaws(amara.page) == []


def test_an_address_that_is_taken(at: At) -> None:
    amara = at(AMARA, "/organizations/new")
    amara.type("Name", "Another Meroorg")
    amara.type("Address", "meroorg")
    amara.press("Create organization")

    assert amara.page.locator(".wrong").count() == 1
    assert flaws(amara.page) == []


def test_a_workspace_that_somebody_changed_meanwhile(at: At) -> None:
    path = "/o/meroorg/workspaces/atlas/edit"
    amara = at(AMARA, path)
    amara.send(path, **{"name": "Maps", "color": "teal", "was:description": "", "was:color": "teal", "version": "77"})

    amara.sees("Somebody changed this meanwhile.", "Changed meanwhile to")
    assert flaws(amara.page) == []


def test_a_workspace_that_is_deleted_without_its_name(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/workspaces/harbour/delete")
    amara.press("Delete for ever")

    assert amara.page.locator(".wrong").count() == 1
    assert flaws(amara.page) == []


def test_what_taking_a_managers_seat_would_end(at: At, example: dict[str, str]) -> None:
    nora = at(NORA, "/o/northwind-cooperative/workspaces/harbour-crew")
    member = example["northwind-cooperative/nils@northwind.example"].rpartition("/")[2]
    nora.send(f"{nora.path}/seats", do="take", member=member)

    nora.sees("Not done yet: what this ends")
    assert flaws(nora.page) == []


def test_each_error_of_billing(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/billing")
    amara.send(
        "/o/meroorg/billing", legal_name="4242 4242 4242 4242", email="x", tax_id="-", currency="BTC", version="1"
    )

    assert amara.page.locator(".wrong").count() == 4  # the tax id waits for a country
    assert flaws(amara.page) == []


def test_billing_that_somebody_changed_meanwhile(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/billing")
    amara.send("/o/meroorg/billing", **{"country": "FR", "was:country": "AT", "was:city": "", "version": "77"})

    amara.sees("Changed meanwhile to “Germany”.")
    assert flaws(amara.page) == []


@pytest.mark.parametrize("who", ["", "nobody", "a"])
def test_a_seat_for_whom(at: At, who: str) -> None:
    amara = at(AMARA, "/o/meroorg/workspaces/atlas")
    amara.send("/o/meroorg/workspaces/atlas/seats", who=who, role="member")

    assert amara.page.locator(".wrong").count() == 1
    assert flaws(amara.page) == []


# --- Settings ------------------------------------------------------------------------------------------------------


def test_each_error_of_the_details(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/settings")
    amara.send("/o/meroorg/settings", name="www.example.org", slug="-", description="x" * 201, color="infrared")

    assert amara.page.locator(".wrong").count() == 4
    assert flaws(amara.page) == []


def test_details_that_changed_meanwhile(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/settings")
    amara.send("/o/meroorg/settings", name="Mero", version="77")

    amara.sees("The name is now “Meroorg”.")
    assert flaws(amara.page) == []


def test_a_picture_that_is_none(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/settings")
    amara.page.get_by_label("Picture").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"<svg/>"})
    amara.press("Use this picture")

    amara.sees("This is not a whole picture.")
    assert flaws(amara.page) == []


@pytest.mark.parametrize(("who", "sentence"), [("ma", "Choose whom you mean."), ("nobody", "nobody is called")])
def test_to_whom_one_hands_over(at: At, who: str, sentence: str) -> None:
    amara = at(AMARA, "/o/meroorg/handover")
    amara.type("To whom", who)
    amara.press("Send the offer")

    amara.sees(sentence)
    assert flaws(amara.page) == []


def test_another_name_deletes_nothing(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/settings/delete")
    amara.type("To go on", "Atelier")
    amara.press("Delete organization")

    amara.sees("Type the name exactly as it is: Meroorg")
    assert flaws(amara.page) == []


def test_a_toast_that_offers_undo(at: At) -> None:
    amara = at(AMARA, "/o/meroorg/workspaces/atlas")
    amara.press("Take seat away Hiroshi Tanaka")
    amara.sees("Hiroshi Tanaka has no seat in Atlas any more.")
    assert flaws(amara.page) == []

    amara.press("Undo")
    amara.sees("Hiroshi Tanaka is a member of Atlas.")
    assert amara.finds("button", "Take seat away Hiroshi Tanaka")


# --- Joining -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("invited", "heading"),
    [
        ("open", "Join Northwind Cooperative"),
        ("expired", "This invitation has expired"),
        ("revoked", "This invitation was withdrawn"),
        ("declined", "This invitation has been declined"),
        ("accepted", "This invitation has been accepted"),
        ("renewed", "A newer letter was sent"),
        ("orphan", "Whoever invited you can no longer offer this"),
        ("closed", "Atelier is closed"),
    ],
)
def test_an_invitation(visitor: At, installation: Installation, invited: str, heading: str) -> None:
    stranger = visitor()
    stranger.open(installation.link(f"{invited}@{ELSEWHERE}"))

    stranger.sees_heading(heading)
    assert flaws(stranger.page) == []


@pytest.mark.parametrize(
    ("invited", "heading"),
    [("expired", "This invitation has expired"), ("orphan", "Whoever invited you can no longer offer this")],
)
def test_an_invitation_by_a_link_that_was_handed_over(
    visitor: At, example: dict[str, str], invited: str, heading: str
) -> None:
    """It proves no address, so it can ask for nothing, and no button is promised."""
    stranger = visitor()
    stranger.open(example[f"handed/{invited}@{ELSEWHERE}"])

    stranger.sees_heading(heading)
    stranger.sees("Ask whoever gave you this link, or log in with the invited address.")
    assert "ne button" not in stranger.page.locator("main").inner_text()
    assert flaws(stranger.page) == []
    stranger.press("Log in")
    stranger.sees_heading("Log in")


@pytest.mark.parametrize(
    ("who", "invited", "heading"),
    [
        (THEIRS, "theirs", "Join Northwind Cooperative"),
        (THEIRS, "hers", "This invitation is for another address"),
        (THEIRS, "accepted", "This invitation has been accepted"),
        (ACCEPTED, "accepted", "You belong to Northwind Cooperative"),
        (ACCEPTED, "hers", "This invitation is for another address"),
        (NORA, "noras.other", "You belong to Northwind Cooperative already"),
    ],
)
def test_an_invitation_signed_in(at: At, installation: Installation, who: str, invited: str, heading: str) -> None:
    somebody = at(who, installation.link(f"{invited}@{ELSEWHERE}"))

    somebody.sees_heading(heading)
    assert flaws(somebody.page) == []


def test_a_reply_that_is_too_long(at: At, installation: Installation) -> None:
    theo = at(THEIRS, installation.link(THEIRS))
    theo.send(theo.path, do="accept", reply="x" * 1001)

    assert theo.page.get_by_label("Your reply").is_visible()
    assert flaws(theo.page) == []


def test_a_new_link_is_asked_for_once_a_day(visitor: At, installation: Installation) -> None:
    stranger = visitor()
    stranger.open(installation.link(f"expired@{ELSEWHERE}"))
    stranger.press("Ask for a new link")

    assert flaws(stranger.page) == []


def test_a_form_that_is_older_than_the_sign_in(at: At) -> None:
    amara = at(AMARA, "/organizations/new")
    amara.context.clear_cookies(name="csrf")
    amara.press("Create organization")

    amara.sees_heading("Reload the page")
    assert flaws(amara.page) == []
