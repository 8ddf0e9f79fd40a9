"""The user: a person with an account, who owns verified email addresses, one of them primary.

django-allauth keeps passwords, addresses and sessions. We ask it one thing, `user.owns(address)`, and tell it one:
who came by the link of a letter has proven that address (`release`, `add_proven`).
"""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from uuid_utils.compat import uuid7

from . import addresses, images, outbox, words
from .access import Operator, Person, Via
from .errors import Missing, Refused, together
from .events import erase, record


def _address_model() -> Any:
    """allauth's table of addresses; asked for late, because it points at our User."""
    return apps.get_model("account", "EmailAddress")


class NotAboutHere:
    """No password lives on what everybody here knows: without the product's name and the words of the server's, it is
    as long as a password has to be."""

    def __init__(self, at_least: int):
        self.at_least = at_least

    @property
    def words(self) -> list[str]:
        """Of the name of the host those that are no mere ending."""
        return ["portico", *(part for part in settings.BASE_HOST.split(".") if len(part) > 3)]

    def validate(self, password: str, user: Any = None) -> None:
        rest = password.casefold()
        for word in self.words:
            rest = rest.replace(word, "")
        if len(rest) < self.at_least and len(rest) < len(password):
            raise ValidationError(self.get_help_text(), code="password_about_here")

    def get_help_text(self) -> str:
        return _("Beside the name of this server your password needs %(n)d more characters.") % {"n": self.at_least}


class LeanArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet).

    Django's default takes 100 MiB for each log-in, so twenty people at once would take 2 GB.
    """

    time_cost, memory_cost, parallelism = 2, 19 * 1024, 1


class Users(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.lower(), **fields)
        user.set_password(password)
        user.save()
        return user

    def owner_of(self, address: str) -> "User | None":
        """Whoever has verified this address; at most one person can."""
        return self.filter(emailaddress__email=address, emailaddress__verified=True).first()


class User(AbstractBaseUser):
    """A person with an account. `email` is the primary address, kept by allauth."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(max_length=254, db_index=True)
    name = models.CharField(max_length=words.NAME_LENGTH)
    locale = models.CharField(max_length=16, default="en")
    image = images.PictureName(max_length=images.NAME_LENGTH, default="")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = Users()

    if TYPE_CHECKING:
        emailaddress_set: models.Manager[Any]  # allauth's table of addresses
        memberships: models.Manager[Any]

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    event_kind = "person"

    @property
    def event_id(self) -> UUID:
        return self.pk

    @property
    def label(self) -> str:
        return f"{self.name} <{self.email}>"

    def __str__(self) -> str:
        return self.label

    def owns(self, address: str) -> bool:
        """Whether this person has verified the address."""
        return address in self.addresses

    @property
    def addresses(self) -> set[str]:
        """All verified addresses, in the form in which we compare them."""
        return set(self.emailaddress_set.filter(verified=True).values_list("email", flat=True))


def is_anybody_here() -> bool:
    """Whether an account exists that could sign in: until then the instance is empty."""
    return User.objects.filter(emailaddress__verified=True).exists()


def create(email: str, name: str, password: str | None, *, verified: bool, via: Via) -> User:
    """An account made by the operator."""
    name, email = together(lambda: words.name(name), lambda: addresses.one(email))
    with transaction.atomic(durable=True):
        if User.objects.owner_of(email):
            raise _taken(email)
        user = User.objects.create_user(email, password, name=name)
        _address_model().objects.create(user=user, email=email, primary=True, verified=verified)
        person = Person(via=via, user=user)
        record(person, "account.created", user)
        if verified:
            release(email, person)
        return user


def claimant(address: str) -> User:
    """The one account that has this address, verified or not."""
    found = list(User.objects.filter(emailaddress__email=address).order_by("id")[:2])
    if not found:
        raise Missing(_("No account has the address %(email)s.") % {"email": address})
    if len(found) > 1:
        raise Refused("several", _("Several accounts claim %(email)s. Let its owner prove it.") % {"email": address})
    return found[0]


def verify(operator: Operator, user: User, address: str) -> None:
    """Say that an address of an account is theirs, for somebody whom no letter reaches."""
    with transaction.atomic(durable=True):
        rows = user.emailaddress_set.select_for_update().filter(email=address)
        if rows.filter(verified=True).exists():
            raise Refused("already_verified", _("%(email)s is verified already.") % {"email": address})
        if User.objects.owner_of(address):
            raise _taken(address)
        if not rows.update(verified=True):
            raise Missing(_("%(person)s has no address %(email)s.") % {"person": user.label, "email": address})
        release(address, Person(via=operator.via, user=user))
        record(operator, "account.verified", user)


def release(address: str, person: Person) -> None:
    """Free an address from accounts that claim it and never proved it, because this person proves it now.

    An account that never proved any address could never sign in: it is nobody's, and goes, unless the operator has
    made it a member somewhere. Runs in the transaction of the proof.
    """
    claims = _address_model().objects.filter(email=address, verified=False).exclude(user=person.user)
    for user in User.objects.filter(pk__in=claims.values("user_id")):
        if user.addresses or user.memberships.exists():
            record(person, "account.address_released", user)
            user.emailaddress_set.filter(email=address).delete()
        else:
            record(person, "account.discarded", user)
            erase(user.pk)  # nobody would ever ask for it
            user.delete()


def add_proven(person: Person, address: str) -> None:
    """Add an address that the link of a letter has proven: as a further one, and the primary one is told."""
    user = person.user
    try:
        with transaction.atomic():
            if user.owns(address):
                return
            if user.emailaddress_set.count() >= settings.ACCOUNT_MAX_EMAIL_ADDRESSES:
                raise Refused("too_many_addresses", _("Your account has as many addresses as one can have."))
            _address_model().objects.update_or_create(user=user, email=address, defaults={"verified": True})
            release(address, person)
            record(person, "account.address_added", user)
            secrets = {"email": address, "name": user.name}
            outbox.post_account("account/address_added", user.email, about=user.pk, secrets=secrets, locale=user.locale)
    except IntegrityError as error:  # a verified address has one owner, and this one has another
        raise _taken(address) from error


def rename(person: Person, name: str) -> None:
    """Change how a person is called. Their memberships follow by `memberships.keep_in_step`."""
    name = words.name(name)
    if name != person.user.name:
        person.user.name = name
        person.user.save(update_fields=["name"])
        record(person, "account.renamed", person.user)


def show(person: Person, image: str) -> None:
    """Change one's picture: the name that `images.keep` gave it, or nothing for none."""
    image = images.check_name(image)
    if image != person.user.image:
        person.user.image = image
        person.user.save(update_fields=["image"])
        record(person, "account.picture_changed", person.user)


def _taken(address: str) -> Refused:
    return Refused(
        "address_taken", _("There is an account with %(email)s already.") % {"email": address}, field="email"
    )
