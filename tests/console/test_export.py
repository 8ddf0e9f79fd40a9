"""Members as a file for a spreadsheet, and the same file read again.

ada administers Acme · mel is a plain member · ivy may manage members, nothing else · eve is from elsewhere
"""

import csv
import io
import re
from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portico import spreadsheet
from portico.domain import addresses, directory, workspaces
from portico.domain.directory import COLUMNS, Question
from portico.domain.errors import Forbidden
from portico.domain.invitations import Invitation
from portico.domain.memberships import Membership
from portico.domain.permissions import BILLING_MANAGE
from tests import cast
from tests.console.browser import signed_in, text

HERE = "/o/acme/users/export"


def file(who, query="", where=HERE) -> bytes:
    answer = signed_in(who).get(where + query)
    assert answer.status_code == 200
    return answer.getvalue()


def table(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def names(who, query="") -> list[str]:
    return [row["name"] for row in table(file(who, query))]


def test_the_file_tells_what_the_list_shows(ada, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    at = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    Membership.objects.update(joined_at=at, active_at=at)
    Membership.objects.filter(pk=mel.membership.pk).update(suspended_at=at, expires_at=at)

    data = file(ada)

    assert tuple(next(csv.reader(io.StringIO(data.decode("utf-8-sig"))))) == COLUMNS
    assert [row for row in table(data) if row["name"] == "Mel"] == [
        {
            "email": "mel@example.org",
            "name": "Mel",
            "role": "contributor",
            "permissions": "members.view",
            "status": "suspended",
            "workspaces": "payments",
            "joined_at": "2030-01-02T03:04:05Z",
            "expires_at": "2030-01-02T03:04:05Z",
            "last_active_at": "2030-01-02T03:04:05Z",
        }
    ]
    [ada_herself] = [row for row in table(data) if row["name"] == "Ada"]
    assert (ada_herself["role"], ada_herself["expires_at"]) == ("administrator", "")
    assert ada_herself["permissions"].split(";")[0] == "members.manage"


def test_it_is_a_file_with_a_name_that_is_kept_by_nobody(ada, mel):
    answer = signed_in(ada).get(HERE)

    assert answer.streaming
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="acme-members-')
    assert "no-store" in answer["Cache-Control"]


def test_single_permissions_are_custom_and_listed(ada, acme):
    cast.joined(acme, cast.person("Dan"), cast.custom(BILLING_MANAGE))

    [dan] = [row for row in table(file(ada)) if row["name"] == "Dan"]
    assert (dan["role"], dan["permissions"]) == ("Custom", "billing.manage")


def test_it_honours_search_filters_and_state(ada, mel, ivy, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    assert names(ada) == ["Ada", "Mel", "Ivy"]
    assert names(ada, "?q=me") == ["Mel"]
    assert names(ada, "?role=administrator") == ["Ada"]
    assert names(ada, "?role=Custom&sort=-name") == ["Ivy"]
    assert names(ada, "?workspace=payments&role=contributor") == ["Mel"]
    assert names(ada, "?state=suspended") == []


def test_what_the_list_cannot_be_asked_is_refused(ada):
    assert signed_in(ada).get(f"{HERE}?state=nowhere").status_code == 422


def test_only_those_who_manage_members_get_it_and_are_led_to_it(ada, mel):
    assert signed_in(mel).get(HERE).status_code == 403
    assert HERE not in signed_in(mel).get("/o/acme/users").content.decode()
    assert f"{HERE}?role=administrator" in signed_in(ada).get("/o/acme/users?role=administrator").content.decode()


def test_the_table_itself_is_for_those_who_manage_members(mel):
    with pytest.raises(Forbidden):
        directory.export(mel, Question())


def test_only_members_of_the_own_organization_stand_in_it(ada, eve):
    assert names(ada) == ["Ada"]


def test_seats_that_one_may_not_see_are_left_out(ada, ivy, mel, payments):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    assert {row["workspaces"] for row in table(file(ivy))} == {""}


def test_of_many_each_stands_in_it_once_with_few_in_the_hand(
    ada, acme, contributor, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(directory, "STRIDE", 4)
    for n in range(10):
        cast.joined(acme, cast.person(f"P{n}"), contributor)

    rows = directory.export(ada, Question(text="p"))
    with django_assert_num_queries(2 + 4 + 3):  # the question; people until there are none; the seats of each four
        told = [row[1] for row in rows]

    assert told == ["name", *(f"P{n}" for n in range(10))]


def test_no_cell_is_a_formula(ada, acme, contributor):
    person = cast.person("Evil", "=1+1@example.org")
    cast.joined(acme, person, contributor)
    Membership.objects.filter(user=person).update(name="@SUM(1+9)*cmd|' /C calc'!A0")

    row = file(ada).decode("utf-8-sig").splitlines()[-1]

    assert row.startswith("'=1+1@example.org,'@SUM(1+9)*cmd|' /C calc'!A0,contributor,")


# --- The same file read again -----------------------------------------------------------------------------------------


def test_the_invite_page_takes_the_file_in(ada, acme, mel, eve, payments, contributor):
    odd = cast.person("Odd", "+odd@example.org")
    cast.joined(acme, odd, contributor)
    cast.joined(acme, cast.person("Dan"), cast.custom(BILLING_MANAGE))
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    workspaces.create(eve, name="Payments")
    upload = SimpleUploadedFile("people.csv", file(ada))

    answer = signed_in(eve).post("/o/elsewhere/users/invite", {"csv": upload, "do": "review", "role": "contributor"})

    said = text(answer)
    assert "4 rows of the file stand in the field now." in said
    page = answer.content.decode()
    assert '<option value="Custom: billing.manage" selected>' in page
    for line in ("ada@example.org", "mel@example.org", "+odd@example.org", "dan@example.org"):
        assert line in page
    assert 'name="role:mel@example.org"' in page
    assert 'name="workspaces:mel@example.org" value="payments"' in page


def test_single_permissions_come_back_as_they_were(ada, acme, mel, eve):
    cast.joined(acme, cast.person("Dan"), cast.custom(BILLING_MANAGE))
    cast.joined(acme, cast.person("Nan"), cast.custom())
    browser, everybody = signed_in(eve), file(ada)
    form = {"csv": SimpleUploadedFile("p.csv", everybody), "do": "review", "role": "developer"}
    page = browser.post("/o/elsewhere/users/invite", form)
    own = dict(re.findall(r'name="(role:[^"]+)">.*?<option value="([^"]+)" selected', page.content.decode()))

    emails = "dan@example.org nan@example.org"
    browser.post("/o/elsewhere/users/invite", {"emails": emails, "role": "developer", "do": "invite", **own})

    grants = {offer.address: offer.grant for offer in Invitation.objects.filter(organization=eve.organization)}
    assert {address: (grant.is_custom, grant.names) for address, grant in grants.items()} == {
        "dan@example.org": (True, ["billing.manage"]),
        "nan@example.org": (True, []),
    }


def test_a_permission_that_is_not_here_is_that_rows_problem(eve):
    rows = b"email,role,permissions\ndan@example.org,Custom,nonsense\nann@example.org,Contributor,\n"
    answer = signed_in(eve).post(
        "/o/elsewhere/users/invite", {"csv": SimpleUploadedFile("p.csv", rows), "do": "review", "role": "developer"}
    )

    assert "There is no permission “nonsense”." in text(answer)


SLUGS = st.lists(st.from_regex(r"[a-z][a-z0-9]{2,8}", fullmatch=True), max_size=3).map(tuple)
LOCAL = st.text("abc+-='!#$%&*/?^_`{|}~09", min_size=1, max_size=12)
ADDRESSES = LOCAL.map(lambda local: f"{local}@example.org").filter(lambda text: addresses.normal(text) == text)
NAMES = st.text(st.sampled_from("=+-@'\" ,;aé"), min_size=1, max_size=20)


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(st.tuples(ADDRESSES, NAMES, st.sampled_from(["", "administrator", "Custom"]), SLUGS), min_size=1))
def test_what_leaves_comes_back_in_unchanged(rows):
    written = [
        (email, name, role, "members.view", "active", ";".join(places), "", "", "")
        for email, name, role, places in rows
    ]

    read = addresses.read_csv(b"".join(spreadsheet.lines([COLUMNS, *written])))

    assert [(entry.address, entry.role or "", entry.workspaces or ()) for entry in read] == [
        (email, "Custom: members.view" if role == "Custom" else role, places) for email, _name, role, places in rows
    ]
    # And out of the field into which the Invite page puts them.
    again = addresses.read("\n".join(addresses.written(entry) for entry in read))
    assert [entry.address for entry in again] == [email for email, *_rest in rows]


@pytest.mark.parametrize("column", ["phone", "Name of mother"])
def test_other_columns_than_those_of_an_export_are_still_refused(column):
    with pytest.raises(Exception, match="There is a column"):
        addresses.read_csv(f"email,{column}\nann@example.org,1\n".encode())
