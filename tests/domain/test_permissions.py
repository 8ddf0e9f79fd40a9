"""The catalogue: everything that can be allowed, in words, and what it implies."""

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from portico.domain import permissions
from portico.domain.permissions import (
    ADMINISTER,
    BILLING_MANAGE,
    MEMBERS_MANAGE,
    MEMBERS_VIEW,
    ORGANIZATION_MANAGE,
    WORKSPACE_MANAGE,
    WORKSPACE_VIEW,
    WORKSPACES_CREATE,
    WORKSPACES_VIEW_ALL,
    catalogue,
    complete,
)

REPORTS = """
[[permission]]
name = "reports.read"
label = "Read reports"
sentence = "Open the reports of the organization"
"""
DEPLOY = """
[[permission]]
name = "deploys.start"
label = "Deploy"
sentence = "Put a new version of the workspace's product into use"
scope = "workspace"
"""


# --- The built-in ones ------------------------------------------------------------------------------------------------


def test_the_labels_are_those_of_the_help_article():
    assert {each.name: str(each.label) for each in catalogue().of_organization} == {
        "members.manage": "Manage members",
        "organization.manage": "Manage organization",
        "billing.manage": "Manage billing information for organization",
        "members.view": "View members of the organization",
        "workspaces.create": "Create new workspace",
        "workspaces.view_all": "View all workspaces",
    }


def test_each_permission_is_explained_in_a_sentence():
    assert all(str(each.sentence) for each in catalogue().every)


def test_who_manages_members_sees_them_and_who_manages_a_workspace_views_it():
    assert complete({MEMBERS_MANAGE}) == {MEMBERS_MANAGE, MEMBERS_VIEW}
    assert complete({WORKSPACE_MANAGE}) == {WORKSPACE_MANAGE, WORKSPACE_VIEW}


@pytest.mark.parametrize(
    "permission", [ORGANIZATION_MANAGE, BILLING_MANAGE, MEMBERS_VIEW, WORKSPACES_CREATE, WORKSPACES_VIEW_ALL]
)
def test_no_other_permission_implies_one(permission):
    assert complete({permission}) == {permission}


def test_a_chain_of_implications_is_followed_to_its_end():
    first = permissions.Permission("a.a", "", "")
    second = permissions.Permission("b.b", "", "", implies=frozenset({first}))
    third = permissions.Permission("c.c", "", "", implies=frozenset({second}))

    assert complete({third}) == {first, second, third}


def test_administering_is_in_no_list_to_choose_from_and_in_everything():
    assert ADMINISTER not in catalogue().every
    assert catalogue().find("administer") is None
    assert catalogue().everything == {*catalogue().every, ADMINISTER}


def test_selecting_all_is_less_than_everything():
    assert complete(catalogue().of_organization) < catalogue().everything


def test_seats_give_permissions_inside_their_workspace():
    assert catalogue().given_by_seat("member") == {WORKSPACE_VIEW}
    assert catalogue().given_by_seat("manager") == {WORKSPACE_VIEW, WORKSPACE_MANAGE}


def test_a_name_that_is_not_in_the_catalogue_gives_nothing():
    assert catalogue().known(["reports.read", "administer", "members.manage"]) == {MEMBERS_MANAGE, MEMBERS_VIEW}
    assert catalogue().find("reports.read") is None


# --- The operator's own -----------------------------------------------------------------------------------------------


def test_the_operators_permissions_stand_after_the_built_in_ones(operators_permissions):
    found = operators_permissions(REPORTS + DEPLOY)

    assert [each.name for each in found.every[-2:]] == ["reports.read", "deploys.start"]
    assert (found.find("reports.read").label, found.find("reports.read").scope) == ("Read reports", "organization")
    assert [each.name for each in found.of_organization][-1] == "reports.read"
    assert [each.name for each in found.of_workspace][-1] == "deploys.start"


def test_a_permission_inside_workspaces_is_a_managers_alone_unless_said_otherwise(operators_permissions):
    found = operators_permissions(DEPLOY + DEPLOY.replace("start", "see") + 'seats = ["manager", "member"]')

    start, see = found.find("deploys.start"), found.find("deploys.see")
    assert found.given_by_seat("manager") >= {start, see}
    assert see in found.given_by_seat("member")
    assert start not in found.given_by_seat("member")


def test_only_administrators_hold_a_new_permission_until_somebody_gives_it(operators_permissions, ada, mel, ivy):
    reports = operators_permissions(REPORTS).find("reports.read")

    assert ada.can(reports)
    assert not mel.can(reports)
    assert not ivy.can(reports)


def test_without_a_file_there_are_the_built_in_ones_only(settings):
    assert settings.PERMISSIONS_FILE is None
    assert catalogue().every == permissions.BUILT_IN


def test_an_empty_file_adds_nothing(operators_permissions):
    assert operators_permissions("# nothing yet\n").every == permissions.BUILT_IN


MALFORMED = {
    "not TOML": ("[[permission]]\nname = \n", 2, "Invalid value"),
    "a key twice": (REPORTS + 'label = "Again"\n', 6, "overwrite"),
    "another table": (REPORTS + '[[permision]]\nname = "a.b"\n', 6, "“permision” means nothing here"),
    "a loose key": ('\nversion = 1\n[[permission]]\nname = "a.b"\n', 2, "“version” means nothing here"),
    "a table that is not one of many": ('[permission]\nname = "a.b"\n', 1, "begins with [[permission]]"),
    "a list": ("permission = [1, 2]\n", 1, "begins with [[permission]]"),
    "a list of tables on one line": ('permission = [{ name = "a.b" }]\n', 1, "begins with [[permission]]"),
    "an unknown key": (REPORTS + 'colour = "red"\n', 2, "“colour” is not something a permission has."),
    "no name": ('[[permission]]\nlabel = "A"\nsentence = "B"\n', 1, "name is missing."),
    "no label": (REPORTS.replace("label", "# label"), 2, "label is missing."),
    "an empty sentence": ('[[permission]]\nname = "a.b"\nlabel = "A"\nsentence = " "\n', 1, "sentence is missing."),
    "a label that is no text": (REPORTS.replace('"Read reports"', "1"), 2, "label is missing."),
    "a name without a dot": (REPORTS.replace("reports.read", "reports"), 2, "“reports” is not a name like"),
    "a name in capitals": (REPORTS.replace("reports.read", "Reports.read"), 2, "is not a name like"),
    "a name that is too long": (REPORTS.replace("reports.read", "a." + "b" * 63), 2, "is not a name like"),
    "a built-in name": (REPORTS.replace("reports.read", "members.view"), 2, "members.view is there already"),
    "the same name twice": (REPORTS + REPORTS, 7, "reports.read is there already"),
    "another scope": (REPORTS + 'scope = "team"\n', 2, "scope is"),
    "a list as scope": (REPORTS + 'scope = ["workspace"]\n', 2, "scope is"),
    "seats outside workspaces": (REPORTS + 'seats = ["manager"]\n', 2, "seats is"),
    "unknown seats": (DEPLOY + 'seats = ["owner"]\n', 2, "seats is"),
    "members without managers": (DEPLOY + 'seats = ["member"]\n', 2, "seats is"),
    "seats that are no list": (DEPLOY + 'seats = "manager"\n', 2, "seats is"),
    "an error in the second": (REPORTS + DEPLOY.replace("label", "lable"), 7, "“lable” is not something"),
}


@pytest.mark.parametrize(("text", "line", "words"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_file_stops_the_start_and_names_file_and_line(operators_permissions, settings, text, line, words):
    with pytest.raises(ImproperlyConfigured) as refusal:
        operators_permissions(text)

    assert str(refusal.value).startswith(str(settings.PERMISSIONS_FILE))
    assert f"line {line}" in str(refusal.value)
    assert words in str(refusal.value)


def test_a_file_that_is_not_there_stops_the_start_and_is_named(tmp_path):
    with pytest.raises(ImproperlyConfigured, match=r"missing\.toml: this file of permissions cannot be read"):
        permissions.read(tmp_path / "missing.toml")


def test_a_file_in_another_encoding_stops_the_start_and_is_named(tmp_path):
    path = tmp_path / "permissions.toml"
    path.write_bytes("# für alle".encode("latin-1"))

    with pytest.raises(ImproperlyConfigured, match=r"permissions\.toml: this file of permissions cannot be read"):
        permissions.read(path)


def test_the_file_is_read_when_the_server_starts(operators_permissions, settings, tmp_path):
    settings.PERMISSIONS_FILE = tmp_path / "missing.toml"
    permissions.catalogue.cache_clear()

    with pytest.raises(ImproperlyConfigured, match=r"missing\.toml"):
        apps.get_app_config("portico").ready()
