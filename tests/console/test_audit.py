"""The pages of the audit log, and its exports."""

import csv
import io
import json
import re

import pytest
from django.urls import reverse

from portico.delivery import daily
from portico.domain import events, memberships, organizations, roles, workspaces
from portico.domain.access import Via
from portico.domain.events import Event, record
from portico.domain.permissions import MEMBERS_VIEW
from portico.spreadsheet import untext
from tests import cast
from tests.console.browser import section, signed_in, text, words

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def log(ada, acme):
    """Ada's browser before the log; call it with a question."""
    client = signed_in(ada)
    return lambda **asked: client.get(reverse("events", args=[acme.slug]), asked)


@pytest.fixture
def event(ada, acme):
    """Ada's browser before the newest event of an action."""
    client = signed_in(ada)

    def show(action: str):
        newest = Event.objects.filter(action=action).latest("id")
        return client.get(reverse("event", args=[acme.slug, newest.pk]))

    return show


def told(answer) -> list[str]:
    """The sentences of the list."""
    found = re.findall(r'<a class="go" href="[^"]*">(.*?)</a>', answer.content.decode())
    return [words(each) for each in found]


@pytest.fixture
def history(ada, mel, ivy, payments, developer):
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")
    memberships.change(ada, member=mel.membership, grant=developer)
    cast.invited(ivy, "bob@example.org", grant=cast.custom())
    memberships.remove(ada, members=[mel.membership])
    daily.run_all()


# --- The list ---------------------------------------------------------------------------------------------------------


def test_it_tells_newest_first_who_did_what_from_where_and_through_which_door(ada, history, log):
    answer = log()

    assert told(answer)[:3] == [
        "Ada removed Mel",
        "Ivy invited bob@example.org as Custom",
        "Ada changed the role of Mel from Contributor to Developer",
    ]
    assert "192.0.2.7 Firefox Console now" in text(answer)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"q": "bo"}, ["Ivy invited bob@example.org as Custom"]),
        ({"action": "member.removed"}, ["Ada removed Mel"]),
        ({"until": "2020-01-01"}, []),
        ({"q": "nobody"}, []),
    ],
)
def test_it_is_filtered_and_searched(history, log, asked, found):
    assert told(log(**asked)) == found


def test_the_days_from_and_to_both_count(history, log, ada):
    today = f"{ada.now:%Y-%m-%d}"

    assert told(log(since=today, until=today)) == told(log())


def test_what_was_asked_stays_in_the_fields(log):
    page = log(q="me", action="seat.given", since="2026-01-31", until="2026-02-01").content.decode()

    for shown in ('value="me"', 'value="seat.given" selected', 'value="2026-01-31"', 'value="2026-02-01"'):
        assert shown in page


def test_a_link_filters_by_one_person_and_says_so_and_lets_go_of_it(history, log, ivy):
    answer = log(person=str(ivy.id), q="bob")

    assert told(answer) == ["Ivy invited bob@example.org as Custom"]
    assert "By or about Ivy" in text(answer)
    assert 'href="/o/acme/events?q=bob"' in answer.content.decode()
    assert f'type="hidden" name="person" value="{ivy.id}"' in answer.content.decode()


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"since": "31.1.2026"}, "Write a day as 2026-01-31."),
        ({"until": "0000-00-00"}, "Write a day as 2026-01-31."),
        ({"until": "9999-12-31"}, "Write a day as 2026-01-31."),
        ({"since": "2026-02-01", "until": "2026-01-01"}, "The end comes before the beginning."),
        ({"person": "me"}, "There is nobody and nothing like this to filter by."),
        ({"action": "anything"}, "There is no such action."),
        ({"at": "nowhere"}, "This place in the list does not exist. Here is its beginning."),
    ],
)
def test_what_cannot_be_asked_is_said_with_the_log_below(history, log, asked, sentence):
    answer = log(**asked, q="typed")

    assert answer.status_code == 422
    assert sentence in text(answer)
    assert 'value="typed"' in answer.content.decode()
    assert "Ada removed Mel" in told(answer)


def test_one_goes_on_to_older_events_and_back(ada, mel, log):
    for _ in range(60):
        record(ada, "toy.done", mel.membership)
    page = log()
    [older] = re.findall(r'rel="next" href="([^"]+)"', page.content.decode())
    client = signed_in(ada)
    second = client.get(older)
    [newer] = re.findall(r'rel="prev" href="([^"]+)"', second.content.decode())

    assert len(told(page)) == 50
    assert told(second)[-1] == "Ada created the organization Acme"
    assert told(client.get(newer)) == told(page)
    assert "Older" not in text(second)
    assert "Newer" not in text(page)


def test_a_search_that_is_not_done_says_how_far_it_came_and_goes_on(ada, mel, log, monkeypatch):
    for name, small in (("NAMES", 0), ("WINDOW", 2), ("FAR", 4)):
        monkeypatch.setattr(f"portico.domain.audit.{name}", small)
    for _ in range(6):
        record(ada, "toy.done", ada.membership)
    memberships.remove(ada, members=[mel.membership])
    daily.run_all()

    answer = log(q="mel")

    assert told(answer) == ["Ada removed Mel"]
    assert "Many are called so. This looked back to" in text(answer)
    assert "Look further back" in text(answer)


def test_an_empty_answer_says_what_to_do(log):
    assert "Nothing found The search looks at the beginnings of the words" in text(log(q="zzz"))
    assert "Nothing like this happened here" in text(log(until="2001-01-01"))


def test_only_administrators_find_the_log_in_the_frame(ada, ivy, acme):
    assert "Audit log" in text(signed_in(ada).get("/o/acme/"))
    assert "Audit log" not in text(signed_in(ivy).get("/o/acme/"))


def test_the_console_writes_address_and_browser_of_a_command(ada, mel, acme):
    client = signed_in(ada)
    client.post(
        reverse("user_remove", args=[acme.slug, mel.membership.pk]), HTTP_USER_AGENT=FIREFOX, REMOTE_ADDR="192.0.2.44"
    )

    page = text(client.get(reverse("events", args=[acme.slug])))
    assert "Ada removed Mel 192.0.2.44 Firefox on Linux Console" in page


def test_the_page_takes_few_statements(ada, history, log, django_assert_max_num_queries):
    with django_assert_max_num_queries(16):
        log(q="mel", action="member.removed")


# --- One event --------------------------------------------------------------------------------------------------------


def test_a_change_is_told_with_before_and_after(history, event):
    answer = event("member.changed")

    assert "Role before: Contributor after: Developer" in section(answer, "What changed")
    assert "Mel <mel@example.org>" in section(answer, "Who and whom")
    assert "192.0.2.7" in section(answer, "Where it came from")
    assert re.search(r"\d\d:\d\d:\d\d UTC", text(answer))


def test_what_ended_with_a_membership_is_told_by_name(history, event):
    shown = section(event("member.removed"), "Who and whom")

    assert "Role Developer" in shown
    assert "Seats that ended Payments, as member" in shown


def test_a_custom_set_is_told_by_its_permissions(ada, ivy, event, mel):
    memberships.change(ada, member=mel.membership, grant=cast.custom(MEMBERS_VIEW))

    assert "View members of the organization" in section(event("member.changed"), "What changed")


def test_fields_and_seats_are_told_in_words(ada, mel, payments, event):
    organizations.change(ada, name="Acme Maps", color="teal")
    workspaces.give_seat(ada, workspace=payments, member=mel.membership, role="member")

    assert "Colour before: violet after: teal" in section(event("organization.changed"), "What changed")
    assert "Changed name, colour" in section(event("organization.changed"), "Who and whom")
    assert "Seat before: none after: member" in section(event("seat.given"), "What changed")
    assert "Workspace Payments" in section(event("seat.given"), "Who and whom")


def test_a_role_that_was_shaped_is_told_with_both_sets(ada, event):
    role = roles.add(ada, name="Helpers", permissions=frozenset({MEMBERS_VIEW}))
    roles.change(ada, role=role, permissions=frozenset())

    assert "Permissions before: View members of the organization after: none" in section(
        event("role.changed"), "What changed"
    )


def test_what_else_the_same_act_did_stands_there(ada, mel, ivy, event):
    memberships.remove(ada, members=[mel.membership, ivy.membership])

    answer = event("member.removed")
    assert "Ada removed" in section(answer, "In the same act")
    assert len(told(answer)) == 1


def test_a_large_act_leads_to_all_of_it(ada, contributor, event):
    cast.invite(ada, *[f"n{n}@example.org" for n in range(30)], grant=contributor)
    answer = event("invitation.sent")

    assert len(told(answer)) == 20
    [link] = re.findall(r'href="([^"]+batch=[^"]+)"', answer.content.decode())
    assert len(told(signed_in(ada).get(link))) == 30


def test_an_event_without_origin_says_so(acme, ada, mel, event):
    memberships.remove(cast.operator(acme), members=[mel.membership])

    assert "not known, or no longer kept" in section(event("member.removed"), "Where it came from")


def test_an_erased_person_leaves_a_page_without_a_name(ada, mel, event):
    memberships.leave(mel)
    events.erase(mel.id)

    assert "Somebody left" in text(event("member.left"))
    assert "mel@" not in text(event("member.left"))


def test_names_are_never_markup(ada, mel, event, log):
    mel.membership.name = "<script>x</script>"
    record(ada, "toy.done", mel.membership, reason="<i>", changed=["<b>"])

    for answer in (event("toy.done"), log()):
        page = answer.content.decode()
        assert "<script>x" not in page
        assert "<i>" not in page


# --- Export -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def exported(ada, acme):
    client = signed_in(ada)

    def export(kind: str, **asked) -> str:
        answer = client.get(reverse("events_export", args=[acme.slug]), {"format": kind, **asked})
        assert answer.status_code == 200
        assert answer.streaming
        assert f"acme-events-{ada.now:%Y-%m-%d}.{kind}" in answer["Content-Disposition"]
        return answer.getvalue().decode("utf-8-sig" if kind == "csv" else "utf-8")

    return export


def test_both_exports_tell_the_same_as_the_log(history, ada, exported):
    from_csv = list(csv.DictReader(io.StringIO(exported("csv"), newline="")))
    from_jsonl = [json.loads(line) for line in exported("jsonl").splitlines()]

    assert [row["action"] for row in from_jsonl] == list(
        events.visible_to(ada).order_by("-id").values_list("action", flat=True)
    )
    for row, same in zip(from_csv, from_jsonl, strict=True):
        assert json.loads(row.pop("details")) == same.pop("details")
        assert row == {name: value or "" for name, value in same.items()}
    [removed] = [row for row in from_jsonl if row["action"] == "member.removed"]
    assert (removed["actor"], removed["subject"]) == ("Ada <ada@example.org>", "Mel <mel@example.org>")
    assert (removed["address"], removed["browser"], removed["door"]) == ("192.0.2.7", "Firefox", "console")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_export_honours_the_filters(history, exported, kind, mel):
    lines = exported(kind, q="mel", action="member.removed", since="2026-01-01").splitlines()

    assert len(lines) == {"csv": 2, "jsonl": 1}[kind]
    assert str(mel.id) in lines[-1]


def test_no_cell_is_a_formula_and_all_come_back_in_unchanged(ada, mel, exported):
    ada.via = Via(door="console", address="192.0.2.7", browser='=HYPERLINK("http://evil.example","x")')
    mel.membership.name = "+1 Mel"
    record(ada, "toy.done", mel.membership)

    [row] = csv.DictReader(io.StringIO(exported("csv", action="toy.done"), newline=""))

    assert row["browser"].startswith("'=")
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in row.values())
    assert untext(row["browser"]) == ada.via.browser
    assert untext(row["subject"]) == "+1 Mel <mel@example.org>"


@pytest.mark.parametrize("asked", [{}, {"format": "xls"}, {"format": "csv", "since": "soon"}])
def test_an_export_that_cannot_be_asked_for_is_refused(ada, acme, asked):
    assert signed_in(ada).get(reverse("events_export", args=[acme.slug]), asked).status_code == 422
