"""Letters waiting to leave.

A letter is a row, written in the transaction of the change that it announces, or not at all. It says what it is about,
never how it reads: the worker asks again whether it is still true, writes the words, and sends it. Letters to people
about their own account carry a secret, which is encrypted under the server's key and wiped as soon as it is of no use.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.fernet import InvalidToken
from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7

from . import bulk
from .keys import cipher

ACCOUNT_FIRST, ORDINARY = 0, 10
FOR_LETTERS = b"portico letters"  # what the key of their secrets is derived for
SECRETS_LIVE = timedelta(hours=1)


class Letter(models.Model):
    """One mail to one address.

    waiting ──► sent ──► (delivered | bounced, once a provider tells)
       └──────► given_up, with the server's words or the reason
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        GIVEN_UP = "given_up"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField(null=True)  # null: about the person's own account
    kind = models.CharField(max_length=48)
    address = models.CharField(max_length=254)
    about = models.UUIDField(null=True)  # the invitation, the person
    facts = models.JSONField(default=dict)  # what the words need and no row can tell any more
    secret = models.BinaryField(null=True)
    locale = models.CharField(max_length=16, default="en")
    priority = models.SmallIntegerField(default=ORDINARY)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    detail = models.CharField(max_length=500, default="")
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField(null=True)
    leased_by = models.UUIDField(null=True)  # the worker; tells nothing without `leased_until`
    attempts = models.PositiveSmallIntegerField(default=0)
    closed_at = models.DateTimeField(null=True)  # when it was sent or given up

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="waiting") | models.Q(secret__isnull=True),
                name="no_secret_outlives_its_letter",
            )
        ]
        indexes = [
            models.Index(
                fields=["priority", "due_at", "id"], name="letter_waiting", condition=models.Q(state="waiting")
            ),
            models.Index(fields=["organization_id", "kind", "created_at"], name="letter_by_organization"),
            models.Index(fields=["address", "kind", "created_at"], name="letter_by_address"),
            models.Index(fields=["about", "id"], name="letter_by_about"),
            models.Index(
                fields=["organization_id", "id"], name="letter_given_up", condition=models.Q(state="given_up")
            ),
        ]

    @property
    def secrets(self) -> dict[str, Any]:
        """What was encrypted; empty when the key has changed since, or nothing was."""
        try:
            return dict(json.loads(cipher(FOR_LETTERS).decrypt(bytes(self.secret)))) if self.secret else {}
        except InvalidToken:
            return {}


def draft(
    kind: str,
    address: str,
    *,
    organization_id: UUID | None,
    about: UUID | None = None,
    locale: str = "en",
    facts: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> Letter:
    """A letter that is not written yet; many at once are handed to `post_all`."""
    now = now or timezone.now()
    return Letter(
        kind=kind,
        address=address,
        organization_id=organization_id,
        about=about,
        locale=locale,
        facts=dict(facts or {}),
        created_at=now,
        due_at=now,
    )


def draft_all(one: Letter, **columns: Sequence[Any]) -> list[Letter]:
    """Many letters like this one, which differ in these columns."""
    return bulk.alike(one, {"id": [uuid7() for _each in columns["address"]], **columns})


def post(kind: str, address: str, **what: Any) -> Letter:
    """Put one letter into the outbox. It leaves after the commit."""
    letter = draft(kind, address, **what)
    letter.save(force_insert=True)
    return letter


def post_all(letters: Iterable[Letter]) -> list[Letter]:
    return bulk.insert(letters)


def post_account(
    kind: str, address: str, *, about: UUID | None, secrets: Mapping[str, Any], locale: str = "en"
) -> Letter:
    """A letter to a person about their own account: it leaves before all others, and its secrets are encrypted."""
    letter = draft(kind, address, organization_id=None, about=about, locale=locale)
    letter.priority = ACCOUNT_FIRST
    letter.secret = cipher(FOR_LETTERS).encrypt(json.dumps(dict(secrets)).encode())
    letter.save(force_insert=True)
    return letter


def counts() -> dict[str, int]:
    """How many letters are kept in each state. Most have left, and are what the others leave of all."""
    left = Letter.State.SENT
    few = {str(state): Letter.objects.filter(state=state).count() for state in Letter.State if state != left}
    return few | {str(left): Letter.objects.count() - sum(few.values())}


def oldest() -> datetime | None:
    """When the letter was written that waits for the longest."""
    waiting = Letter.objects.filter(state=Letter.State.WAITING)
    return waiting.order_by("created_at").values_list("created_at", flat=True).first()
