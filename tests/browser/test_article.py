"""*Add users to your organization*: the article from its first step to its last, on real mail.

Three are invited, and come in three ways: gus has an account, nia creates one, and eli is signed in with an address
that is not the invited one. Then each of them does what was given to them, and is refused the rest: no page offers
it, and the bare command says no and changes nothing. The story is told three times, to a mouse, to a keyboard, and to
a browser that runs no script.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.browser.installation import PASSWORD, Installation, links
from tests.browser.visitor import HANDS, Visitor


@dataclass
class Stage:
    """Where one telling takes place: people and an organization that no other telling has."""

    installation: Installation
    arrive: Callable[[], Visitor]
    name: str

    @property
    def organization(self) -> str:
        return f"Meroorg {self.name}"

    @property
    def slug(self) -> str:
        return self.organization.lower().replace(" ", "-")

    def at(self, who: str) -> str:
        return f"{who}@{self.name}.example.org"

    def in_it(self, path: str) -> str:
        return f"/o/{self.slug}/{path}"


@pytest.fixture(params=HANDS)
def stage(request, installation, visitor) -> Stage:
    return Stage(installation, lambda: visitor(HANDS[request.param]), request.param)


def test_add_users_to_your_organization(stage):
    ada = logs_in_and_founds(stage)
    opens_the_organizations_users(ada, stage)
    invites_three(ada, stage)

    gus = accepts_with_an_account(stage)
    nia = accepts_and_creates_an_account(stage)
    eli = accepts_with_another_account(stage)
    learns_who_has_come(ada, stage)

    before = everything_ada_sees(ada, stage)
    to_invite = {"do": "invite", "emails": stage.at("x"), "role": "contributor"}
    is_refused(eli, stage, "Invite users", "users/invite", **to_invite)
    is_refused(eli, stage, "Create a workspace", "workspaces/new", name="Of Eli")
    is_refused(nia, stage, "Invite users", "users/invite", **to_invite)
    is_refused(gus, stage, "Create a workspace", "workspaces/new", name="Of Gus")
    is_refused_to_touch_an_administrator(gus, stage)
    assert everything_ada_sees(ada, stage) == before

    does_what_a_contributor_may(eli)
    does_what_a_developer_may(nia, ada, stage)
    does_what_a_manager_of_members_may(gus, eli, stage)

    no_letter_came_that_nobody_sent(stage)
    every_link_of_every_letter_leads_somewhere(ada, stage)


# --- Inviting ------------------------------------------------------------------------------------------------------


def logs_in_and_founds(stage: Stage) -> Visitor:
    ada, email = stage.arrive(), stage.installation.account("Ada Lovelace", stage.at("ada"))
    ada.open("/")
    ada.log_in(email, PASSWORD)
    ada.sees_heading("You belong nowhere yet")
    ada.follow("Create an organization")
    ada.type("Name", stage.organization)
    ada.press("Create organization")
    ada.sees(f"{stage.organization} is there. Now invite people.")
    ada.follow("Create a workspace")
    ada.type("Name", "Atlas")
    ada.press("Create workspace")
    ada.sees_heading("Atlas")
    return ada


def opens_the_organizations_users(ada: Visitor, stage: Stage) -> None:
    ada.follow("Organization dashboard")
    ada.sees_heading(stage.organization)
    ada.follow("Organization users")
    ada.sees_heading("Organization users")


def invites_three(ada: Visitor, stage: Stage) -> None:
    """The page's choice is a set of permissions of its own; two lines of the review choose a role instead."""
    ada.follow("Invite users")
    ada.sees_heading(f"Invite user to {stage.organization} organization")
    ada.type("Email", f"{stage.at('gus')}, Nia Okoro <{stage.at('nia')}>;\n{stage.at('eli').upper()}")
    ada.pick("Custom")
    ada.tick("Manage members")
    ada.review()
    ada.sees("3 people will be invited as Custom.", f"Written as {stage.at('eli')}.")
    ada.choose(stage.at("nia"), "Developer")
    ada.choose(stage.at("eli"), "Contributor")
    ada.review()
    ada.sees(
        "1 person will be invited as Custom.",
        "1 person will be invited as Developer.",
        "1 person will be invited as Contributor.",
    )
    ada.press("Invite 3 people")
    ada.sees("3 invitations are on their way.")
    for who, role in (("gus", "Custom"), ("nia", "Developer"), ("eli", "Contributor")):
        assert role in ada.row(stage.at(who)).inner_text()
        assert "Invited" in ada.row(stage.at(who)).inner_text()


# --- Accepting -----------------------------------------------------------------------------------------------------


def accepts_with_an_account(stage: Stage) -> Visitor:
    stage.installation.account("Gus Reed", stage.at("gus"))
    gus = stage.arrive()
    gus.open(stage.installation.link(stage.at("gus")))
    gus.sees_heading(f"Join {stage.organization}")
    gus.sees("Ada Lovelace", stage.at("ada"), "Manage members", "View members of the organization")
    gus.press("Log in")
    gus.sees_heading("Log in")
    gus.log_in(stage.at("gus"), PASSWORD)
    return accepts(gus, stage)


def accepts_and_creates_an_account(stage: Stage) -> Visitor:
    """The letter has proven the address: no code is asked for, and no further letter comes."""
    nia = stage.arrive()
    nia.open(stage.installation.link(stage.at("nia")))
    nia.press("Create an account")
    nia.sees_heading("Create an account")
    assert nia.page.get_by_label("Email").input_value() == stage.at("nia")
    assert not nia.page.get_by_label("Email").is_editable()
    nia.type("Name", "Nia Okoro")
    nia.type("Password", PASSWORD)
    nia.press("Create the account")
    return accepts(nia, stage)


def accepts_with_another_account(stage: Stage) -> Visitor:
    """Signed in with another address: the invited one is added after the password, and the other is told."""
    home = stage.installation.account("Eli Stone", stage.at("eli.at.home"))
    eli = stage.arrive()
    eli.open("/")
    eli.log_in(home, PASSWORD)
    eli.sees_heading("You belong nowhere yet")
    eli.open(stage.installation.link(stage.at("eli")))
    eli.sees_heading("This invitation is for another address")
    eli.sees(stage.at("eli"), home)
    assert not eli.finds("button", "Accept")
    eli.press("Add this address")
    eli.sees_heading("Is it you?")
    eli.type("Password", "not my password")
    eli.press("Continue")
    eli.sees("This is not your password.")
    eli.type("Password", PASSWORD)
    eli.press("Continue")
    eli.sees(f"{stage.at('eli')} is one of your addresses now.")
    accepts(eli, stage)
    [told] = stage.installation.letters(home)
    assert stage.at("eli") in told.text
    return eli


def accepts(who: Visitor, stage: Stage) -> Visitor:
    who.sees_heading(f"Join {stage.organization}")
    who.press("Accept and join")
    who.sees(f"You belong to {stage.organization} now.")
    assert who.path == stage.in_it("")
    return who


def learns_who_has_come(ada: Visitor, stage: Stage) -> None:
    told = stage.installation.letters(stage.at("ada"), count=3)
    assert [letter["Subject"] for letter in told] == [
        "Gus Reed accepted your invitation",
        "Nia Okoro accepted your invitation",
        "Eli Stone accepted your invitation",
    ]
    ada.open(links(told[1])[0])
    ada.sees_heading("Nia Okoro")
    ada.follow("Organization users")
    for name, who, role in (("Gus Reed", "gus", "Custom"), ("Nia Okoro", "nia", "Developer"),
                            ("Eli Stone", "eli", "Contributor")):  # fmt: skip
        row = ada.row(name).inner_text()
        assert (stage.at(who) in row, role in row, "Active" in row) == (True, True, True), row


# --- What was given, and nothing else ------------------------------------------------------------------------------


def does_what_a_contributor_may(eli: Visitor) -> None:
    eli.follow("Organization users")
    eli.sees("Ada Lovelace", "Gus Reed", "Nia Okoro")


def does_what_a_developer_may(nia: Visitor, ada: Visitor, stage: Stage) -> None:
    nia.follow("Organization users")
    nia.sees("Ada Lovelace", "Gus Reed", "Eli Stone")
    nia.follow("Workspaces")
    nia.follow("Create a workspace")
    nia.type("Name", "Payments")
    nia.press("Create workspace")
    nia.sees_heading("Payments")
    nia.sees("Manager")
    nia.follow("Workspaces")
    nia.follow("All")
    nia.follow("Atlas")
    nia.sees("You have no seat here.")
    assert "Payments" in ada.words(stage.in_it("workspaces?show=all"))


def does_what_a_manager_of_members_may(gus: Visitor, eli: Visitor, stage: Stage) -> None:
    """Invite, manage others' permissions, remove."""
    gus.open(stage.in_it(""))
    gus.follow("Organization users")
    gus.follow("Invite users")
    gus.type("Email", stage.at("kim"))
    gus.pick("Contributor")
    gus.review()
    gus.sees("1 person will be invited as Contributor.")
    gus.press("Invite 1 person")
    gus.sees("1 invitation is on its way.")
    assert len(links(stage.installation.letters(stage.at("kim"))[0])) == 1

    gus.follow("Eli Stone")
    gus.sees_heading("Eli Stone")
    gus.tick("Manage members")
    gus.pick("Custom")
    gus.press("Save")
    gus.sees("Eli Stone: saved.")
    eli.open(stage.in_it("users"))
    assert eli.finds("link", "Invite users")

    gus.follow("Remove user")
    gus.sees_heading(f"Remove Eli Stone from {stage.organization}?")
    gus.press("Remove user")
    gus.sees("Eli Stone is removed.")
    assert gus.row("Eli Stone").count() == 0
    assert stage.installation.letters(stage.at("eli"), count=2)[1]["Subject"].startswith("You no longer belong to")
    assert eli.status(stage.in_it("users")) == 404


def is_refused(who: Visitor, stage: Stage, offered: str, path: str, **form: str) -> None:
    """No page leads there, the address itself is refused, and so is the command."""
    for page in ("", "users", "workspaces"):
        who.open(stage.in_it(page))
        assert not who.finds("link", offered)
        assert not who.finds("button", offered)
    assert who.status(stage.in_it(path)) == 403

    answer = who.post(stage.in_it(path), **form)

    assert (answer.status, "You need the permission" in answer.text()) == (403, True)


def is_refused_to_touch_an_administrator(gus: Visitor, stage: Stage) -> None:
    gus.open(stage.in_it("users"))
    gus.follow("Ada Lovelace")
    gus.sees("Ada Lovelace holds more than you do")
    assert not gus.finds("button", "Save")
    assert not gus.finds("link", "Remove user")
    demote = {"role": "contributor", "grant": "members.view", "version": "1"}
    for path, form in (("", demote), ("/remove", {})):
        answer = gus.post(gus.path + path, **form)
        assert (answer.status, "You do not hold" in answer.text()) == (403, True)


def everything_ada_sees(ada: Visitor, stage: Stage) -> list[str]:
    return [ada.words(stage.in_it(page)) for page in ("", "users", "workspaces?show=all")]


# --- Letters -------------------------------------------------------------------------------------------------------


def no_letter_came_that_nobody_sent(stage: Stage) -> None:
    got = {who: [letter["Subject"] for letter in stage.installation.received(stage.at(who))] for who in ("nia", "gus")}
    invited = [f"Ada Lovelace invites you to {stage.organization}"]
    assert got == {"nia": invited, "gus": invited}
    assert stage.installation.received(stage.at("x")) == []


def every_link_of_every_letter_leads_somewhere(ada: Visitor, stage: Stage) -> None:
    for link in {link for letter in stage.installation.received(stage.at("")) for link in links(letter)}:
        assert link.startswith(f"{stage.installation.base}/")
        assert ada.context.request.get(link).status in {200, 404}, link
