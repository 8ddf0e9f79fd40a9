"""`portico user …`"""

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from django.utils.translation import gettext as _

from portico.cli.command import Done
from portico.cli.operator import account, address, operator, via
from portico.cli.tables import listed

if TYPE_CHECKING:
    from portico.domain.people import User

EMAIL = typer.Argument(metavar="EMAIL", help="One of their verified addresses.", show_default=False)
AT_ONCE = 1000  # accounts that are read together


def create(
    email: Annotated[str, typer.Option(help="The address to log in with.")],
    name: Annotated[str, typer.Option(help="What others see; made from the address if left out.")] = "",
    password: Annotated[
        str | None,
        typer.Option(help="Asked for, or the first line of standard input, if left out: others can see this option."),
    ] = None,
    verified: Annotated[
        bool,
        typer.Option("--verified", help="The address is theirs; else they prove it at the first log-in."),
    ] = False,
) -> Done:
    """Create an account."""
    from portico.domain import people

    email = address(email, field="email")
    name = name or name_from(email)
    password = acceptable(password if password is not None else asked_for(), email, name)
    user = people.create(email, name, password, verified=verified, via=via())
    sentence = (
        _("Created the account of %(person)s.")
        if verified
        else _("Created the account of %(person)s, who can sign in once the address is verified.")
    )
    return Done(
        sentence % {"person": user.label},
        {"id": user.pk, "email": user.email, "name": user.name, "verified": verified},
    )


def every(
    search: Annotated[str, typer.Option(help="Part of a name or an address.")] = "",
    disabled: Annotated[bool, typer.Option("--disabled", help="Only accounts that are disabled.")] = False,
) -> Done:
    """List accounts, the newest first."""
    from django.db.models import Q

    from portico.domain.people import User

    rows = User.objects.prefetch_related("emailaddress_set").order_by("-id")
    if search:
        part = search.strip()
        rows = rows.filter(Q(name__icontains=part) | Q(emailaddress__email__icontains=part)).distinct()
    if disabled:
        rows = rows.filter(is_active=False)
    told = [facts(user) for user in rows.iterator(AT_ONCE)]
    return listed("users", told, "email", "name", "verified", "disabled", "created_at")


def facts(user: "User") -> dict[str, object]:
    owned = sorted(row.email for row in user.emailaddress_set.all() if row.verified)
    return {
        "id": user.pk,
        "email": user.email,
        "name": user.name,
        "verified": bool(owned),
        "addresses": owned,
        "disabled": not user.is_active,
        "created_at": user.created_at,
        "last_login": user.last_login,
    }


def verify(email: Annotated[str, typer.Argument(metavar="EMAIL", help="The address.", show_default=False)]) -> Done:
    """Say that an address is theirs, for somebody whom no letter reaches. Be sure of it."""
    from portico.domain import people

    email = address(email, field="email")
    user = people.claimant(email)
    people.verify(operator(None), user, email)
    return told_of(user, _("%(email)s now belongs to %(person)s.") % {"email": email, "person": user.label})


def disable(email: Annotated[str, EMAIL]) -> Done:
    """Let nobody sign in to an account or act through its tokens, until it is enabled again."""
    from portico.domain import accounts

    user = account(address(email, field="email"))
    accounts.disable(operator(None), user)
    return told_of(user, _("Disabled the account of %(person)s.") % {"person": user.label})


def enable(email: Annotated[str, EMAIL]) -> Done:
    """Let somebody sign in again."""
    from portico.domain import accounts

    user = account(address(email, field="email"))
    accounts.enable(operator(None), user)
    return told_of(user, _("Enabled the account of %(person)s.") % {"person": user.label})


def delete(
    email: Annotated[str, EMAIL],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> Done:
    """Delete an account for ever: its memberships end, and whatever names the person is forgotten."""
    from portico.domain import accounts
    from portico.domain.errors import Refused

    user = account(address(email, field="email"))
    question = _("Delete the account of %(person)s for ever?") % {"person": user.label}
    if not yes and not typer.confirm(question, err=True):
        raise Refused("not_confirmed", _("Nothing was deleted."))
    done = told_of(user, _("Deleted the account of %(person)s.") % {"person": user.label})
    accounts.delete(operator(None), user)
    return done


def reset_second_factor(email: Annotated[str, EMAIL]) -> Done:
    """Take app, passkeys and recovery codes off, for somebody who has lost them. Be sure who asks."""
    from portico.domain import accounts

    user = account(address(email, field="email"))
    accounts.reset_second_factor(operator(None), user)
    return told_of(user, _("Took the second factor of %(person)s off.") % {"person": user.label})


def told_of(user: "User", sentence: str) -> Done:
    return Done(sentence, {"id": user.pk, "email": user.email, "name": user.name})


def asked_for() -> str:
    """The password from whoever sits there, or from the program that pipes it in."""
    if sys.stdin.isatty():
        return str(typer.prompt(_("Password"), hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def acceptable(password: str, email: str, name: str) -> str:
    """The password, or Invalid with every reason against it, as on the page of sign-up."""
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    from portico.domain.errors import Invalid
    from portico.domain.people import User

    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), field="password") from None
    return password


def name_from(email: str) -> str:
    """Ann Lee from ann.lee@example.org."""
    words = re.findall(r"[^\W_]+", email.partition("@")[0].partition("+")[0])
    return " ".join(word.capitalize() for word in words) or email.partition("@")[0]
