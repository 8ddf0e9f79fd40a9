"""Events in words."""

import ast
import re
from pathlib import Path

import portico
from portico.console import sentences
from portico.domain import events, handovers, invitations, memberships, organizations, roles, workspaces
from portico.domain.access import Actor
from portico.domain.permissions import BILLING_MANAGE, MEMBERS_VIEW, ORGANIZATION_MANAGE, catalogue
from portico.domain.roles import Grant
from tests import cast


def told(actor: Actor, **which) -> list[str]:
    return [re.sub(r"<[^>]+>", "", told.sentence) for told in sentences.told(events.recent(actor, **which))]


NOUNS = ("account", "billing", "handover", "invitation", "member", "organization", "role", "seat", "token", "workspace")


def written() -> set[str]:
    """Every action that the code can record, as far as it stands there in one piece."""
    package = Path(portico.__file__).parent
    texts = {
        node.value
        for file in package.rglob("*.py")
        if file.name != "sentences.py"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    actions = {text for text in texts if re.fullmatch(rf"({'|'.join(NOUNS)})\.[a-z_]+", text)}
    return actions - {permission.name for permission in catalogue().every}


def recorded() -> set[str]:
    """The actions in the calls themselves."""
    package = Path(portico.__file__).parent
    calls = [
        node
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"record", "record_all"}
    ]
    return {str(call.args[1].value) for call in calls if isinstance(call.args[1], ast.Constant)}


def test_every_action_that_is_recorded_has_its_sentence():
    assert recorded()
    assert recorded() - sentences.SENTENCES.keys() == set()
    assert written() - sentences.SENTENCES.keys() == set()


def test_every_sentence_tells_of_something_that_can_happen():
    assert {action for action in sentences.SENTENCES if not action.startswith("account.")} - written() == set()


def test_every_action_of_an_organization_can_be_chosen_in_the_audit_log():
    choices = [action for group in sentences.ACTIONS.values() for action in group]

    assert len(choices) == len(set(choices))
    assert set(choices) == {action for action in sentences.SENTENCES if not action.startswith("account.")}


def test_what_happened_is_told_newest_first(ada, mel, developer, payments):
    memberships.change(ada, member=mel.membership, grant=developer)
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    assert told(ada)[:4] == [
        "Ada gave Mel a seat in Payments, as member",
        "Ada changed the role of Mel from Contributor to Developer",
        "Ada took a seat in Payments, as manager",
        "Ada created the workspace Payments",
    ]


def test_what_one_command_did_to_many_is_one_line(ada, contributor):
    cast.invite(ada, "ann@example.org", "bob@example.org", "cy@example.org", grant=contributor)

    assert told(ada)[0] == "Ada invited cy@example.org and 2 others"


def test_a_change_of_many_roles_says_of_none_what_is_not_true_of_all(ada, mel, ivy, developer):
    memberships.change_all(ada, members=[mel.membership, ivy.membership], grant=developer)

    assert told(ada)[0] == "Ada changed the role of Ivy and 1 other"


def test_a_large_act_does_not_push_all_else_away(ada, mel, developer, contributor, payments, settings):
    settings.LETTERS_PER_DAY = {"usual": 99, "new": 99, "trusted": 99}
    memberships.change(ada, member=mel.membership, grant=developer)
    cast.invite(ada, *[f"n{n}@example.org" for n in range(50)], grant=contributor)
    cast.invited(ada, "ann@example.org", grant=contributor)

    newest = told(ada)
    assert newest[0] == "Ada invited ann@example.org as Contributor"
    assert newest[1].endswith("and 49 others")
    assert newest[2] == "Ada changed the role of Mel from Contributor to Developer"
    assert len(newest) == 6


def test_an_offer_that_nobody_stands_behind_says_so(ada, ivy, mel):
    cast.invited(ivy, "ann@example.org", grant=cast.custom())
    memberships.remove(ada, members=[ivy.membership])

    revoked, removed, *_rest = told(ada)
    assert removed == "Ada removed Ivy"
    assert revoked.startswith("The invitation to ann@example.org was revoked, because")


def test_names_are_never_markup(ada, acme, contributor):
    cast.joined(acme, cast.person("<b>Bo</b>", "bo@example.org"), contributor)
    invitations.send(ada, wanted=cast.wanted("x@example.org"), terms=invitations.Terms(grant=contributor))
    member = acme.memberships.get(address="bo@example.org")
    memberships.remove(ada, members=[member])

    [newest, *_rest] = sentences.told(events.recent(ada))
    assert "&lt;b&gt;Bo&lt;/b&gt;" in newest.sentence


def test_a_name_that_was_erased_leaves_the_fact(ada, mel):
    memberships.leave(mel)
    events.Label.objects.filter(about=mel.id).update(text="")

    assert told(ada)[0] == "Somebody left"


def test_only_administrators_see_all_and_the_others_what_is_theirs_to_see(ada, ivy, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    assert "Ada created the workspace Payments" in told(ada)
    assert told(ivy) == [
        "Ada gave Mel a seat in a workspace, as member",
        "Ada took a seat in a workspace, as manager",
        "Ada joined as Administrator",
    ]
    assert told(mel) == ["Ada gave Mel a seat in Payments, as member"]


def test_the_history_of_one_member_is_theirs_alone(ada, mel, developer):
    memberships.change(ada, member=mel.membership, grant=developer)

    assert told(ada, about=mel.id) == ["Ada changed the role of Mel from Contributor to Developer"]


def test_what_became_of_a_role_is_told_with_what_it_gained_and_lost(ada, contributor):
    lead = roles.add(ada, name="Lead", permissions=frozenset({MEMBERS_VIEW}))
    both = frozenset({BILLING_MANAGE, ORGANIZATION_MANAGE})
    for permissions in (both, both | {MEMBERS_VIEW}, both):
        lead = roles.change(ada, role=lead, permissions=permissions)
    lead = roles.change(ada, role=lead, name="Head")
    cast.invited(ada, "bob@example.org", grant=Grant(role=lead))
    roles.delete(ada, role=lead, move_to=contributor.role)

    deleted, offer, _invited, renamed, took, added, changed = told(ada, limit=7)
    assert deleted == "Ada deleted the role Head; who had it now has Contributor"
    assert offer == "Ada changed what the invitation to bob@example.org offers, from lead to Contributor"
    assert renamed == "Ada renamed a role, which is now called Head"
    assert took == "Ada took from the role Lead: View members of the organization"
    assert added == "Ada added to the role Lead: View members of the organization"
    assert changed == (
        "Ada changed the role Lead: added Manage organization, Manage billing information for organization, "
        "took away View members of the organization"
    )


def test_a_role_is_added_and_deleted(ada):
    roles.delete(ada, role=roles.add(ada, name="Lead", permissions=frozenset()))

    assert told(ada, limit=2) == ["Ada deleted the role Lead", "Ada added the role Lead"]


def test_what_changed_of_the_organization_is_named(ada):
    organizations.change(ada, slug="acme-ltd", color="sky")

    assert told(ada)[0] == "Ada changed the details of the organization: address, colour"


def test_a_hand_over_is_told_from_its_offer_to_its_end(ada, mel, developer):
    handovers.offer(ada, member=mel.membership, step_down=developer.role)
    handovers.decline(mel, ada.organization.handovers.get())
    handovers.accept(mel, handovers.offer(ada, member=mel.membership))

    assert told(ada)[:5] == [
        "Mel accepted to become Administrator",
        "Mel changed their own role from Contributor to Administrator",
        "Ada offered Mel to become Administrator",
        "Mel declined to become Administrator",
        "Ada offered Mel to become Administrator in their place",
    ]


def test_who_steps_down_and_who_steps_up_are_not_said_to_have_become_the_same(ada, mel, developer):
    handovers.accept(mel, handovers.offer(ada, member=mel.membership, step_down=developer.role))

    assert told(ada)[1] == "Mel changed the role of Ada and 1 other"


def test_what_ended_with_the_organization_says_why(ada, acme, contributor):
    cast.invited(ada, "ann@example.org", grant=contributor)
    organizations.close(ada, name="Acme")
    organizations.restore(cast.operator(acme))
    ada.refresh()

    assert told(ada)[:3] == [
        "The operator restored the organization",
        "The invitation to ann@example.org was revoked, because the organization was closed",
        "Ada closed the organization",
    ]
