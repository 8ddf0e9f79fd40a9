"""Accounts: what we ask of django-allauth, and what we tell it.

allauth keeps passwords, addresses, codes and sessions; nothing of that is written here. Here stand the few answers
that it leaves to us: who may sign up, in which form an address is stored, how letters leave, and what is written down.
"""

from typing import Any

from allauth.account import forms, signals
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.fields import EmailField
from allauth.account.internal.flows.login import record_authentication
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.dispatch import receiver
from django.forms import CharField, TextInput
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from portico.domain import addresses, images, memberships, organizations, outbox, people, words
from portico.domain.access import Person
from portico.domain.errors import Invalid, Refusal, Refused
from portico.domain.events import record
from portico.domain.people import User

from . import join, pages, proof
from .forms import problems, see_other, status

STASH = "account_verified_email"  # where allauth looks for the address that the next sign-up need not verify
PASSWORD_HINT = gettext_lazy("At least 10 characters, and not one that many people use.")


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """My name and addresses, and the way to everything else about my account."""
    me = pages.person(request)
    typed: str = me.user.name
    refusal: Invalid | None = None
    if request.method == "POST":
        typed = request.POST.get("name", "")
        try:
            people.rename(me, typed)
        except Invalid as error:
            refusal = error
        else:
            memberships.keep_in_step(me)
            messages.success(request, _("You are called %(name)s now.") % {"name": me.user.name})
            return see_other("account")
    return overview(request, typed, refusal)


def overview(request: HttpRequest, name: str, refusal: Refusal | None = None) -> HttpResponse:
    context = {
        "name": name,
        "problems": problems(refusal, "name", "image") if refusal else {},
        "addresses": mine(request.user),  # type: ignore[arg-type]  # somebody, because the page asks for it
        "megabytes": images.MEGABYTES,
    }
    return pages.render(request, "account/overview.html", context, status=status(refusal))


def mine(user: User) -> Any:
    """The addresses of an account, the primary one first."""
    return EmailAddress.objects.filter(user=user).order_by("-primary", "email")


# --- What allauth asks ---------------------------------------------------------------------------------------------


class AccountAdapter(DefaultAccountAdapter):
    """Letters leave through our outbox, those about an account to its primary address; sign-up asks the invitation."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "account_inactive": gettext_lazy("This account is closed."),
        "duplicate_email": gettext_lazy("This is one of your addresses already."),
        "email_password_mismatch": gettext_lazy(
            "This address and this password do not belong together. Check both and try again."
        ),
        "email_taken": gettext_lazy("There is another account with this address."),
        "enter_current_password": gettext_lazy("This is not your password."),
        "incorrect_code": gettext_lazy("This is not the code of the newest letter. Check it and try again."),
        "incorrect_password": gettext_lazy("This is not your password."),
        "invalid_password_reset": gettext_lazy("This link has been used, or it is too old."),
        "max_email_addresses": gettext_lazy("An account has at most %d addresses."),
        "rate_limited": gettext_lazy("That was too often. Wait a moment and try again."),
        "too_many_login_attempts": gettext_lazy("That was too often. Wait a few minutes and try again."),
        "unverified_primary_email": gettext_lazy("Only an address that you have verified can be the primary one."),
    }

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """The ways to show who one is, in our words; a passkey where browsers do them."""
        words_of = {
            "reauthenticate": _("Use the password"),
            "mfa_reauthenticate": _("Use a code"),
            "mfa_reauthenticate:webauthn": _("Use a passkey"),
        }
        ways = [way | {"description": words_of[way["id"]]} for way in super().get_reauthentication_methods(user)]
        usable = proof.passkeys_work(context.request)
        return [way for way in ways if usable or not way["id"].endswith("webauthn")]

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Before addresses and second factors change, unless the last proof is recent: to have logged in is one.

        Without `app` a page of ours asks, and is told of a proof of its own only.
        """
        return not (app and proof.is_recent(context.request))

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Every way to sign-up passes here, so here goes an address in the stash that this way has not proven."""
        invitation = join.signing_up(request)
        if invitation is None:
            self.unstash_verified_email(request)
            return settings.SIGNUP == "open"
        self.stash_verified_email(request, invitation.address)
        return True

    def unstash_verified_email(self, request: HttpRequest) -> str | None:
        address: str | None = request.session.pop(STASH, None)
        return address

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        user.name = form.cleaned_data["name"]
        user.locale = get_language() or settings.LANGUAGE_CODE
        return super().save_user(request, user, form, commit=commit)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """The letter of this kind; what it says is its template's business."""
        user = context.get("user")
        secrets = {
            "code": context.get("code", ""),
            "url": context.get("password_reset_url", ""),
            "email": context.get("about_address", email),
            "name": user.name if user else "",
        }
        kind = f"account/{template_prefix.rpartition('/')[2]}"
        locale = user.locale if user else get_language() or settings.LANGUAGE_CODE
        outbox.post_account(kind, email, about=user.pk if user else None, secrets=secrets, locale=locale)

    def send_password_reset_mail(self, user: Any, email: str, context: dict[str, Any]) -> None:
        """To the primary address, whichever was typed."""
        super().send_password_reset_mail(user, user.email, context)

    def send_account_already_exists_mail(self, email: str) -> None:
        """To the primary address, whichever was typed."""
        if owner := User.objects.owner_of(email):
            self.send_mail("account/email/account_already_exists", owner.email, {"user": owner})

    def send_notification_mail(
        self, template_prefix: str, user: Any, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        if template_prefix.startswith("mfa/"):
            return  # of a second factor's change the letter is written with its event
        facts = context or {}
        about = facts.get("deleted_email") or facts.get("to_email") or user.email
        super().send_notification_mail(template_prefix, user, facts | {"user": user, "about_address": about}, email)


class SessionsAdapter(DefaultUserSessionsAdapter):
    """Ending sessions is a change of one's account like others."""

    def end_sessions(self, sessions: Any) -> None:
        super().end_sessions(sessions)
        if sessions:
            request = context.request
            record(acting(request, request.user), "account.sessions_ended", request.user, count=len(sessions))


# --- What is written down ------------------------------------------------------------------------------------------


def acting(request: HttpRequest, user: User) -> Person:
    """The person whose account changes: one for each request, so that its events belong together."""
    person = getattr(request, "account_person", None)
    if person is None or person.user != user:
        person = Person(via=pages.via(request), user=user)
        request.account_person = person  # type: ignore[attr-defined]
    return person


@receiver(signals.user_signed_up)
def created(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record_authentication(request, user, method="password")  # just chosen
    person = acting(request, user)
    record(person, "account.created", user)
    for address in user.addresses:  # the one that came by the link of a letter
        people.release(address, person)


@receiver(signals.email_confirmed)
def verified(request: HttpRequest, email_address: EmailAddress, **_kwargs: Any) -> None:
    person = acting(request, email_address.user)
    record(person, "account.address_verified", person.user)
    people.release(email_address.email, person)


@receiver(signals.email_added)
def added(request: HttpRequest, user: User, email_address: EmailAddress, **_kwargs: Any) -> None:
    record(acting(request, user), "account.address_added", user)
    AccountAdapter().send_mail(
        "account/email/email_confirm", user.email, {"user": user, "about_address": email_address.email}
    )


@receiver(signals.email_removed)
def removed(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    person = acting(request, user)
    record(person, "account.address_removed", user)
    memberships.keep_in_step(person)


@receiver(signals.email_changed)
def primary_changed(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record(acting(request, user), "account.primary_changed", user)


@receiver(signals.password_changed)
def password_changed(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record(acting(request, user), "account.password_changed", user)


@receiver(signals.password_set)
def password_set(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record(acting(request, user), "account.password_set", user)


@receiver(signals.password_reset)
def password_reset(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record(acting(request, user), "account.password_reset", user)


# --- Forms ---------------------------------------------------------------------------------------------------------


class AddressField(EmailField):
    """One address, in the form that invitations have, so that both compare equal."""

    default_validators: list[Any] = []

    def __init__(self, autocomplete: str = "email", **kwargs: Any) -> None:
        attrs = {"type": "email", "autocomplete": autocomplete, "placeholder": "you@example.com"}
        super().__init__(widget=TextInput(attrs=attrs), **kwargs)

    def clean(self, value: Any) -> str:
        text = CharField.clean(self, value)
        address = addresses.normal(text)
        if address is None:
            raise ValidationError(addresses.why_not(text))
        return address


class LoginForm(forms.LoginForm):
    """Log in. On the way to an invitation its address stands there already."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = AddressField(autocomplete="username")
        if visit := join.on_the_way_to(context.request):
            field.initial = visit.invitation.address
        self.signup_is_open = settings.SIGNUP == "open"
        self.fields["login"] = field
        self.fields["password"].help_text = ""
        self.order_fields(["login", "password"])

    def clean(self) -> dict[str, Any]:
        """That address and password do not belong together is said beside the password."""
        try:
            return dict(super().clean())
        except ValidationError as error:
            self.add_error("password", error)
            return self.cleaned_data


class SignupForm(forms.SignupForm):
    """Create an account. Who comes by the link of a letter has proven the address, and gets no other."""

    name = CharField(label=gettext_lazy("Name"), widget=TextInput(attrs={"autocomplete": "name"}))
    email = AddressField()
    field_order = ["name", "email", "password1"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.proven: str | None = context.request.session.get(STASH)
        self.fields["password1"].help_text = PASSWORD_HINT
        if self.proven:
            self.fields["email"].widget.attrs["readonly"] = True

    def clean_name(self) -> str:
        try:
            return words.name(self.cleaned_data["name"])
        except Invalid as error:
            raise ValidationError(error.sentence) from error

    def clean_email(self) -> str:
        address: str = super().clean_email()
        if self.proven and address != self.proven:
            sentence = _("The invitation is for %(address)s, so this account gets no other address.")
            raise ValidationError(sentence % {"address": self.proven})
        return address

    def validate_unique_email(self, value: str) -> str:
        """An address is taken once somebody has proven it; claiming it keeps nobody out."""
        self.account_already_exists = User.objects.owner_of(value) is not None
        if self.account_already_exists and self.proven:
            raise ValidationError(_("There is an account with this address already. Log in."))
        return value

    def save(self, request: HttpRequest) -> Any:
        try:
            with transaction.atomic():
                return super().save(request)
        except IntegrityError as error:  # somebody else proved the address at the same moment
            raise Refused("address_taken", _("There is an account with this address already. Log in.")) from error


class AddEmailForm(forms.AddEmailForm):
    email = AddressField(label=gettext_lazy("Another address"))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """My addresses, the primary one first, each with the organizations that know me by it."""
        known: dict[str, list[str]] = {}
        for membership in organizations.of(self.user):
            known.setdefault(membership.address, []).append(membership.organization.name)
        return [
            {
                "email": each.email,
                "primary": each.primary,
                "verified": each.verified,
                "organizations": ", ".join(known.get(each.email, [])),
            }
            for each in mine(self.user)
        ]


class CodeForm(forms.ConfirmEmailVerificationCodeForm):
    def clean_code(self) -> str:
        """An address is taken once somebody has proven it; claiming it keeps nobody out."""
        code = forms.BaseConfirmCodeForm.clean_code(self)
        owner = User.objects.owner_of(self.email)
        if owner and owner != self.user:
            raise AccountAdapter().validation_error("email_taken")
        return code


class OncePassword:
    """One field for a new password, not two: browsers show what was typed, and a reset mends the rest."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields  # type: ignore[attr-defined]
        del fields["password2"]
        fields["password1"].label = _("New password")
        fields["password1"].help_text = PASSWORD_HINT


class ChangePasswordForm(OncePassword, forms.ChangePasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["oldpassword"].label = _("Your password until now")
        self.fields["oldpassword"].help_text = ""


class SetPasswordForm(OncePassword, forms.SetPasswordForm):
    pass


class ResetPasswordForm(forms.ResetPasswordForm):
    email = AddressField()


class ResetPasswordKeyForm(OncePassword, forms.ResetPasswordKeyForm):
    pass


class ReauthenticateForm(forms.ReauthenticateForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""
