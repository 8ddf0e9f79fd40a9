"""`portico user …`"""

import re
import sys
from typing import Annotated

import typer
from django.utils.translation import gettext as _

from portico.cli.command import Done
from portico.cli.operator import address, via


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
