"""The rules that a machine can keep. import-linter and ruff keep the others (pyproject.toml)."""

import ast
import inspect
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, ForwardRef, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest
from django.apps import apps
from django.db import models
from django.utils.functional import Promise

from docs.permissions import NOUNS, PERSONAL, commands, personal
from portico.domain.access import Actor
from portico.domain.memberships import Membership
from portico.domain.people import User
from portico.domain.roles import Grant
from portico.domain.workspaces import SeatOffer

PORTICO = Path(inspect.getfile(Actor)).parents[1]
DOMAIN = PORTICO / "domain"


def trees(*folders: Path) -> Iterator[tuple[str, ast.Module]]:
    """Every module below the folders, by its place in the package."""
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            if "migrations" not in path.parts:
                yield ".".join(path.relative_to(PORTICO).with_suffix("").parts), ast.parse(path.read_text())


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    """The last word of what is called."""
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, Function]]:
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield within + node.name, node
            case ast.ClassDef():
                yield from functions(node, f"{within}{node.name}.")


# --- No row slips past `fresh` ----------------------------------------------------------------------------------------

PLAIN = (str, bytes, int, float, bool, type(None), datetime, UUID, Promise)
LOOKED_INTO = (list, tuple, Sequence, Mapping, dict)
CLOSED = (set, frozenset)  # `fresh` does not look into these


def strays(annotation: Any, *, seen: bool = True, known: frozenset[Any] = frozenset()) -> Iterator[str]:
    """What an argument of this type could carry past `fresh`: rows that it does not find or cannot read again."""
    origin = get_origin(annotation) or annotation
    if isinstance(annotation, str | ForwardRef):
        yield f"{annotation}: unknown"
    elif annotation in PLAIN or annotation in known or annotation is Ellipsis:
        return
    elif origin in (Union, types.UnionType, *LOOKED_INTO, *CLOSED):
        yield from () if get_args(annotation) else [f"{annotation}: says not of what"]
        for inner in get_args(annotation):
            yield from strays(inner, seen=seen and origin not in CLOSED, known=known)
    elif isinstance(annotation, type) and issubclass(annotation, models.Model):
        if not seen or "organization" not in {field.name for field in annotation._meta.get_fields()}:
            yield annotation.__name__
    elif isinstance(annotation, type) and is_dataclass(annotation):
        hints = get_type_hints(annotation, vars(import_module(annotation.__module__)))
        for each in fields(annotation):
            for stray in strays(hints[each.name], seen=seen, known=known | {annotation}):
                yield f"{annotation.__name__}.{each.name}: {stray}"
    else:
        yield f"{annotation}: cannot be looked into"


def arguments(function: Callable[..., Any]) -> dict[str, Any]:
    """The types of all arguments but the actor."""
    hints = get_type_hints(function)
    names = list(inspect.signature(function).parameters)[1:]
    return {name: hints.get(name, "no type") for name in names}


@pytest.mark.parametrize(("name", "command"), [*commands()], ids=[name for name, _command in commands()])
def test_no_argument_of_a_command_carries_a_row_past_fresh(name, command):
    assert {argument: list(strays(type_)) for argument, type_ in arguments(command).items() if any(strays(type_))} == {}


@dataclass(frozen=True)
class Parcel:
    who: User


@pytest.mark.parametrize(
    "type_",
    [
        User,
        Sequence[User],
        User | None,
        set[Membership],
        frozenset[Grant],
        Parcel,
        dict[str, Parcel],
        Any,
        object,
        list,
        Iterator[Membership],
        models.QuerySet,
        Callable[[], Membership],
        "Membership",
    ],
)
def test_such_an_argument_is_found(type_):
    assert list(strays(type_))


@pytest.mark.parametrize("type_", [Membership, Sequence[Membership], Grant | None, list[SeatOffer], str, int | None])
def test_what_fresh_reads_again_is_let_through(type_):
    assert not list(strays(type_))


def test_what_opens_its_own_command_reads_its_one_row_again_itself():
    """It has no `fresh`; so it takes one row, which `_locked` or `_mine` reads again, or nothing."""
    took = {name: arguments(personal(name)) for name in PERSONAL}
    rows = {name: [row for t in types_.values() for row in strays(t, seen=False)] for name, types_ in took.items()}

    assert rows == {
        "organizations.found": [],
        "organizations.found_for": ["User"],  # at the command line, by its address
        "invitations.accept": ["Invitation"],
        "invitations.decline": ["Invitation"],
        "invitations.ask_again": ["Invitation"],
        "memberships.leave": [],
        "memberships.known_by": [],
        "memberships.end_with_account": ["Membership"],
        "tokens.issue": [],
        "tokens.issue_for_all": [],
        "tokens.revoke": ["Token"],
        "tokens.revoke_for_all": ["Token"],
        "organizations.restore": [],
        "organizations.trust": [],
        "handovers.accept": ["Handover"],
        "handovers.decline": ["Handover"],
    }


# --- Every change is a command, and every command is on the record ----------------------------------------------------


def opens_a_transaction(call: ast.Call) -> bool:
    durable = any(keyword.arg == "durable" for keyword in call.keywords)
    return called(call) == "command" or (called(call) == "atomic" and durable)


def test_only_these_open_a_transaction():
    found = {
        f"{module.removeprefix('domain.')}.{name}"
        for module, tree in trees(DOMAIN)
        for name, function in functions(tree)
        if any(opens_a_transaction(call) for call in calls(function))
    }

    assert found == {
        "actions.command",
        "actions.action",
        "endings.announce",  # changes nothing that anybody holds: it posts letters
        "accounts._forget",
        "accounts.rename",
        "accounts.disable",
        "accounts.enable",
        "accounts.reset_second_factor",
        "memberships.end_with_account",
        "memberships.known_by",
        "memberships.leave",
        "organizations._found",
        "organizations.restore",
        "organizations.trust",
        "organizations._purge",
        "handovers.accept",
        "handovers.decline",
        "invitations.accept",
        "invitations.decline",
        "invitations.ask_again",
        "people.create",
        "people.verify",
        "tokens.issue",
        "tokens.issue_for_all",
        "tokens.revoke",
        "tokens.revoke_for_all",
    }


def reaches(name: str, tree: ast.Module, goals: set[str]) -> bool:
    """Whether a function of a module calls one of the goals, itself or through others of its module."""
    bodies = {each: {called(call) for call in calls(function)} for each, function in functions(tree)}
    found, waiting = set(), [name]
    while waiting:
        if (each := waiting.pop()) not in found:
            found.add(each)
            waiting.extend(bodies.get(each, ()))
    return bool(found & goals)


OF_AN_ACCOUNT = [
    "people.create", "people.verify", "people.release", "people.add_proven", "people.rename", "people.show",
    "accounts.close", "accounts.delete", "accounts.disable", "accounts.enable", "accounts.reset_second_factor",
]  # fmt: skip


@pytest.mark.parametrize("name", [*dict(commands()), *PERSONAL, *OF_AN_ACCOUNT])
def test_every_command_writes_its_event(name):
    noun, verb = name.split(".")

    assert reaches(verb, dict(trees(DOMAIN))[f"domain.{noun}"], {"record", "record_all"})


def test_every_command_says_in_a_sentence_what_it_does():
    every = dict(commands()) | {name: personal(name) for name in PERSONAL}

    assert [name for name, command in every.items() if not (command.__doc__ or "").strip()] == []


def test_every_noun_with_commands_is_known():
    found = {module.removeprefix("domain.") for module, tree in trees(DOMAIN) if "@action(" in ast.unparse(tree)}

    assert found <= set(NOUNS)


WRITES = {"save", "create", "delete", "update", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}
SQL = re.compile(r"\b(?:INSERT INTO|UPDATE(?! SKIP)|DELETE FROM)\s+\"?(\w+)")
# The worker says of a letter what became of it, and throws away what is too old.
OF_DELIVERY = re.compile(r"\b(Letter|Session|UserSession)\.objects\b|^_waiting\(\)|^again\b")


def writes(tree: ast.AST) -> Iterator[str]:
    """What is written to a table, as far as one can see: through a manager or a query, or by a row itself."""
    for call in calls(tree):
        if isinstance(call.func, ast.Attribute) and call.func.attr in WRITES:
            receiver = ast.unparse(call.func.value)
            through_a_query = re.search(r"objects|_set\b|filter\(|exclude\(|\bagain\b", receiver)
            by_itself = call.func.attr in {"save", "delete"} and receiver not in {
                "super()",
                "router",
                "accounts",
                *NOUNS,
            }
            if through_a_query or by_itself:
                yield receiver


def test_doors_write_nothing_themselves():
    outside = dict(trees(PORTICO))
    del outside["restore"]  # puts a whole installation in its place, and changes nothing in one
    doors = {name: tree for name, tree in outside.items() if not name.startswith(("domain.", "delivery."))}

    assert {name: found for name, tree in doors.items() if (found := list(writes(tree)))} == {}


def test_delivery_writes_nothing_but_what_became_of_letters():
    found = {each for _name, tree in trees(PORTICO / "delivery") for each in writes(tree)}

    assert [each for each in found if not OF_DELIVERY.search(each)] == []


def test_statements_written_by_hand_change_no_table_but_letters():
    texts = (
        node.value
        for name, tree in trees(PORTICO)
        if not name.startswith("domain.")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )

    assert {table for text in texts for table in SQL.findall(text)} <= {"portico_letter"}


def test_the_scan_finds_what_it_looks_for():
    for wrong in (
        "Membership.objects.create(user=user)",
        "membership.save()",
        "organization.memberships.filter(pk=1).delete()",
        "Invitation.objects.filter(pk=1).update(state='accepted')",
        "User.objects.get(pk=1).delete()",
    ):
        assert list(writes(ast.parse(wrong)))
    for right in (
        "workspaces.create(actor)",
        "roles.delete(actor)",
        "router.delete(path)",
        "super().save(request)",
        "context.update(more)",
    ):
        assert not list(writes(ast.parse(right)))


def test_only_the_log_itself_writes_events():
    found = {
        name
        for name, tree in trees(PORTICO)
        for call in calls(tree)
        if called(call) in {"Label", "Origin"} or "subject_kind" in {keyword.arg for keyword in call.keywords}
    }

    assert found == {"domain.events"}


def test_a_command_reads_the_time_once():
    """Everything else takes it from its actor."""
    found = {
        f"{module}.{name}"
        for module, tree in trees(DOMAIN)
        for name, function in functions(tree)
        for call in calls(function)
        if ast.unparse(call.func) in {"timezone.now", "datetime.now", "Now"}
    }

    assert found == {
        "domain.access.Actor.refresh",
        "domain.invitations.waiting_for",  # a page's question, not a command
        "domain.handovers.waiting_for",  # the same
        "domain.memberships.seen",  # last seen
        "domain.outbox.draft",  # letters about an account, which have no actor
    }


# --- Every no has a sentence that can be translated, and a code that stays --------------------------------------------

WITH_A_CODE = {"Forbidden", "Refused"}
SENTENCE_FIRST = {"Invalid", "Missing"}
CODES = {
    "address_taken": {"Refused"},
    "already_done": {"Refused"},
    "already_archived": {"Refused"},
    "already_administrator": {"Refused"},
    "already_invited": {"Refused"},
    "already_member": {"Refused"},
    "already_there": {"Refused"},
    "already_verified": {"Refused"},
    "asked_already": {"Refused"},
    "backup_broken": {"Refused"},
    "backup_exists": {"Refused"},
    "backup_newer": {"Refused"},
    "backup_other_key": {"Refused"},
    "changed_meanwhile": {"Refused"},
    "exceeds_your_authority": {"Forbidden"},
    "expired": {"Forbidden"},
    "founding_closed": {"Forbidden"},
    "handover_closed": {"Refused"},
    "handover_waits": {"Refused"},
    "in_progress": {"Refused"},
    "has_data": {"Refused"},
    "invitation_closed": {"Refused"},
    "disabled": {"Refused"},
    "last_administrator": {"Refused"},
    "membership_over": {"Refused"},
    "missing_permission": {"Forbidden"},
    "name_taken": {"Refused"},
    "needs_person": {"Forbidden"},
    "no_second_factor": {"Refused"},
    "not_active": {"Refused"},
    "not_closed": {"Refused"},
    "not_a_member": {"Refused"},
    "not_archived": {"Refused"},
    "not_confirmed": {"Refused"},
    "not_disabled": {"Refused"},
    "not_up_to_date": {"Refused"},
    "not_your_address": {"Refused"},
    "organization_closed": {"Forbidden"},
    "over_limit": {"Refused"},
    "prove_again": {"Forbidden"},
    "public": {"Refused"},
    "role_fixed": {"Refused"},
    "role_gone": {"Refused"},
    "role_in_use": {"Refused"},
    "several": {"Refused"},
    "slug_taken": {"Refused"},
    "sponsor_gone": {"Refused"},
    "storage_unavailable": {"Refused"},
    "suspended": {"Forbidden"},
    "too_late": {"Refused"},
    "too_many": {"Refused"},
    "too_many_addresses": {"Refused"},
    "wrong_account": {"Refused"},
}


def refusals(tree: ast.AST) -> Iterator[tuple[Function, ast.Call]]:
    for _name, function in functions(tree):
        for call in calls(function):
            if called(call) in WITH_A_CODE | SENTENCE_FIRST and call.args:
                yield function, call


def is_translated(text: ast.expr, function: Function) -> bool:
    """Whether a sentence goes through gettext, or was made by something that this rule holds for too."""
    match text:
        case ast.Call(func=ast.Name(id="_" | "gettext" | "ngettext" | "pgettext")):
            return True
        case ast.BinOp(left=left, op=ast.Mod()):
            return is_translated(left, function)
        case ast.IfExp(body=body, orelse=orelse):
            return is_translated(body, function) and is_translated(orelse, function)
        case ast.Name(id=name):
            assigned = [
                node.value
                for node in ast.walk(function)
                if isinstance(node, ast.Assign) and name in {ast.unparse(target) for target in node.targets}
            ]
            return all(is_translated(value, function) for value in assigned)
        case ast.Subscript() | ast.Attribute():
            return True  # of a table of sentences, or of another refusal
        case ast.JoinedStr(values=parts):  # such as f"{typed}: {problem}"
            return not any(isinstance(part, ast.Constant) and re.search(r"\w", str(part.value)) for part in parts)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=between), attr="join")):
            return not re.search(r"\w", str(between))
    return False


def test_every_sentence_of_a_refusal_can_be_translated():
    untranslated = {
        f"{module}: {ast.unparse(call)}"
        for module, tree in trees(PORTICO)
        for function, call in refusals(tree)
        if not is_translated(call.args[0 if called(call) in SENTENCE_FIRST else 1], function)
    }

    assert untranslated == set()


@pytest.mark.parametrize("sentence", ["'No.'", "f'No {x}.'", "'No %s.' % x", "words", "_('No.') if x else 'Yes.'"])
def test_a_sentence_that_cannot_is_found(sentence):
    [(_name, function)] = functions(ast.parse(f"def refuse(x):\n    words = 'No.'\n    raise Invalid({sentence})"))

    [(_function, call)] = refusals(ast.Module([function], []))
    assert not is_translated(call.args[0], function)


def test_the_codes_of_refusals_are_these():
    """A code never changes once it is released: programs read it."""
    found: dict[str, set[str]] = {}
    for _module, tree in trees(PORTICO):
        for _function, call in refusals(tree):
            if called(call) in WITH_A_CODE:
                assert isinstance(call.args[0], ast.Constant), ast.unparse(call)
                found.setdefault(str(call.args[0].value), set()).add(called(call))

    assert found == CODES


# --- Tables -----------------------------------------------------------------------------------------------------------


def of_an_organization() -> list[type[models.Model]]:
    every = apps.get_app_config("portico").get_models()
    return [model for model in every if any(field.name == "organization" for field in model._meta.concrete_fields)]


@pytest.mark.parametrize("model", of_an_organization())
def test_every_row_of_an_organization_can_be_named_by_both_ids(model):
    unique = [c.fields for c in model._meta.constraints if isinstance(c, models.UniqueConstraint)]

    assert ("organization", "id") in unique


@pytest.mark.parametrize("model", [*apps.get_app_config("portico").get_models()])
def test_ids_are_ordered_by_time_and_give_away_no_count(model):
    # A row that is its own key has no id at all.
    assert isinstance(model._meta.pk, (models.UUIDField, models.CompositePrimaryKey))


def test_nothing_points_past_the_membership_to_the_user():
    pointing = {
        model.__name__
        for model in apps.get_app_config("portico").get_models()
        for field in model._meta.concrete_fields
        if field.related_model is User
    }

    assert pointing == {"Membership"}


def test_events_have_no_foreign_keys():
    for name in ("Event", "Label", "Origin"):
        model = apps.get_model("portico", name)
        assert [field.name for field in model._meta.concrete_fields if field.is_relation] == []
