"""The second factor: an app that makes codes, passkeys, and recovery codes; what we ask of django-allauth, and tell it.

What allauth announces of a change comes partly after the commit. So what is written down follows the rows themselves:
event and letter stand in the transaction of the change, or there is no change.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_used
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from cryptography.exceptions import InvalidSignature
from cryptography.fernet import InvalidToken
from django.core.exceptions import ValidationError
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from qrcode.main import QRCode

from portico.domain import outbox, words
from portico.domain.errors import Invalid
from portico.domain.events import record
from portico.domain.keys import cipher
from portico.domain.people import User

from . import accounts, proof

PURPOSE = b"portico second factor"
APP, CODES, PASSKEY = Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES, Authenticator.Type.WEBAUTHN


class Adapter(DefaultMFAAdapter):
    """Secrets are encrypted at rest, under keys derived for this alone; their picture needs no style of its own."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": gettext_lazy(
            "This code is not right, or has been used. Wait for the next one and try again."
        ),
        "unverified_email": gettext_lazy(
            "Verify all your addresses first, or remove those that you cannot verify. Then set up a second factor."
        ),
        "cannot_generate_recovery_codes": gettext_lazy(
            "Set up an app or a passkey first. Recovery codes stand in for it."
        ),
        "not_known": gettext_lazy("This passkey is not known here, or it took too long. Try again."),
        "unreadable": gettext_lazy(
            "This server's key has changed, so it cannot check codes any more. Ask whoever runs it to take your second "
            "factor off."
        ),
    }

    def encrypt(self, text: str) -> str:
        return cipher(PURPOSE).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return cipher(PURPOSE).decrypt(encrypted_text.encode()).decode()
        except InvalidToken as error:
            raise self.validation_error("unreadable") from error

    def build_totp_svg(self, url: str) -> str:
        """Drawn into the page: the content policy lets in neither styles nor pictures that stand in an address."""
        code = QRCode(border=4)
        code.add_data(url)
        rows = code.get_matrix()
        dots = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
        size = len(rows)
        return f'<svg class="qr" viewBox="0 0 {size} {size}" aria-hidden="true"><path d="{dots}"/></svg>'

    def generate_authenticator_name(self, user: Any, type: Any) -> str:  # noqa: A002  # as allauth calls it
        count = Authenticator.objects.filter(user=user, type=type).count()
        return _("Passkey %(number)d") % {"number": count + 1} if count else _("Passkey")


# --- Passkeys ------------------------------------------------------------------------------------------------------


def passkeys_are_known(request: HttpRequest) -> bool:
    """Whether anybody could log in here by one."""
    return proof.passkeys_work(request) and Authenticator.objects.filter(type=PASSKEY).exists()


# --- Forms ---------------------------------------------------------------------------------------------------------


class _Code:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["code"]  # type: ignore[attr-defined]
        field.widget.attrs |= {"inputmode": "numeric", "placeholder": "", "autofocus": True}


class CodeForm(_Code, AuthenticateForm):
    pass


class CodeAgainForm(_Code, ReauthenticateForm):
    pass


class AppForm(_Code, ActivateTOTPForm):
    """Until its first code has come, the app's secret waits in the session, and not in the clear there either."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kept = context.request.session.get(SECRET_SESSION_KEY)
        super().__init__(*args, **kwargs)
        if self.is_bound and kept:
            self.secret = Adapter().decrypt(kept)
        context.request.session[SECRET_SESSION_KEY] = Adapter().encrypt(self.secret)
        self.fields["code"].label = _("The code that the app shows now")


class _Named:
    """A name of a passkey: as all names are."""

    cleaned_data: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name = self.fields["name"]  # type: ignore[attr-defined]
        name.label, name.widget.attrs["maxlength"] = _("Name"), words.NAME_LENGTH

    def clean_name(self) -> str:
        given = super().clean_name() if hasattr(super(), "clean_name") else self.cleaned_data["name"]  # type: ignore[misc]
        try:
            return words.name(given)
        except Invalid as error:
            raise ValidationError(error.sentence) from error


@contextmanager
def as_a_device_answers() -> Iterator[None]:
    """What no device sends and what no key has signed is refused, all of it alike; allauth catches some of it only."""
    try:
        yield
    except (InvalidSignature, KeyError, TypeError, ValueError) as error:
        raise Adapter().validation_error("not_known") from error
    except ValidationError as error:
        if error.code != "incorrect_code":
            raise
        raise Adapter().validation_error("not_known") from error


class _Shown:
    """A passkey that is shown."""

    def clean_credential(self) -> Any:
        with as_a_device_answers():
            return super().clean_credential()  # type: ignore[misc]


class ShownForm(_Shown, AuthenticateWebAuthnForm):
    pass


class ShownAloneForm(_Shown, LoginWebAuthnForm):
    pass


class ShownAgainForm(_Shown, ReauthenticateWebAuthnForm):
    pass


class PasskeyForm(_Named, AddWebAuthnForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].help_text = _("Something to know it by: the device, or the password manager that keeps it.")
        alone = self.fields["passwordless"]
        alone.label, alone.initial = _("Log in with it alone, without the password"), True
        alone.help_text = _("The device then asks for your finger, your face or its code. Old security keys cannot.")

    def clean(self) -> Any:
        with as_a_device_answers():
            return super().clean()


class RenameForm(_Named, EditWebAuthnForm):
    pass


# --- What is written down ------------------------------------------------------------------------------------------


def tell(user: Any, action: str, *, letter: bool = True) -> None:
    """The event, and the letter to the primary address, in the transaction of the change.

    Without a request the operator acts, whose command tells of it itself.
    """
    request = context.request
    if request is None:
        return
    record(accounts.acting(request, user), action, user)
    if letter:
        secrets = {"email": user.email, "name": user.name}
        outbox.post_account(action.replace(".", "/"), user.email, about=user.pk, secrets=secrets, locale=user.locale)


@receiver(pre_save, sender=Authenticator)
def before(instance: Authenticator, **_kwargs: Any) -> None:
    """allauth notes when the codes are first looked at. Looking writes nothing here, so it is noted at once."""
    if instance._state.adding and instance.type == CODES:
        instance.data.setdefault("viewed_at", time.time())


@receiver(post_save, sender=Authenticator)
def saved(instance: Authenticator, created: bool, update_fields: Any, **_kwargs: Any) -> None:
    if created and instance.type == CODES:
        made_for_another = context.request is not None and "recovery-codes" not in context.request.path
        tell(instance.user, "account.recovery_codes_made", letter=not made_for_another)
    elif created:
        tell(instance.user, "account.app_added" if instance.type == APP else "account.passkey_added")
    elif update_fields is None and instance.type == PASSKEY:
        tell(instance.user, "account.passkey_renamed", letter=False)


@receiver(post_delete, sender=Authenticator)
def deleted(instance: Authenticator, origin: Any, **_kwargs: Any) -> None:
    """Recovery codes only go with what they stand in for, or for newer ones; all go with their account."""
    if instance.type != CODES and not isinstance(origin, User):
        tell(instance.user, "account.app_removed" if instance.type == APP else "account.passkey_removed")


@receiver(authenticator_used)
def used(user: Any, authenticator: Authenticator, **_kwargs: Any) -> None:
    """A recovery code is used up."""
    if authenticator.type == CODES:
        tell(user, "account.recovery_code_used")
