"""Requests that named a key, so that whoever asks again with it has it done once and hears the same answer.

    running ──► done ──► answered ──► forgotten a day later
       │          │          │
       │          │          └── asked again: the same answer
       │          └── the answer was lost, or held a secret: refused with the id of what was done
       └── refused, because it still runs; unless whoever ran it is gone

That it is done is written in the transaction of the command itself, so it is as true as the change. The door writes
before it who runs, and after it what was answered.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import models
from django.utils.translation import gettext as _
from uuid_utils.compat import uuid7

from .access import Actor
from .errors import Invalid, Refused

LONGEST = 255  # characters of a key
# After so long whoever ran it is believed to be gone. If it is not, its change is taken back at its end.
RUNS_FOR = timedelta(minutes=1)


class Attempt(models.Model):
    """One request that named a key.

    `known_by` is the digest of who asked, of the address and of the key; `asked` that of what was asked. `turn` counts
    who ran it: the last one alone may finish it. `batch` is the command's, which leads to what it did.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("portico.Organization", models.CASCADE, null=True, related_name="+")
    asker_id = models.UUIDField(db_index=True)  # a person or a token; no foreign key, for either may be gone
    known_by = models.CharField(max_length=64, unique=True)
    asked = models.CharField(max_length=64)
    begun_at = models.DateTimeField(db_index=True)
    turn = models.PositiveIntegerField(default=1)
    taken_at = models.DateTimeField()
    batch = models.UUIDField(null=True)  # set once it is done
    status = models.PositiveSmallIntegerField(null=True)  # set once it is answered
    answer = models.TextField(default="")
    headers = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "id"], name="attempt_of_organization")]

    def __str__(self) -> str:
        return str(self.pk)

    def mine(self) -> "models.QuerySet[Attempt]":
        """The row, unless somebody else has taken it meanwhile."""
        return Attempt.objects.filter(pk=self.pk, turn=self.turn)


def begin(asker_id: UUID, address: str, key: str, asked: bytes, now: datetime) -> Attempt:
    """Run it, or hear what became of it: an attempt with a `status` was answered already."""
    if not 0 < len(key) <= LONGEST or not key.isascii() or not key.isprintable():
        sentence = _("A key has 1 to %(n)d printable characters of ASCII.")
        raise Invalid(sentence % {"n": LONGEST}, field="Idempotency-Key")
    new = Attempt(
        asker_id=asker_id,
        known_by=_digest(f"{asker_id}\n{address}\n{key}".encode()),
        asked=_digest(asked),
        begun_at=now,
        taken_at=now,
    )
    Attempt.objects.filter(known_by=new.known_by, begun_at__lte=now - settings.KEPT_FOR["answers"]).delete()
    Attempt.objects.bulk_create([new], ignore_conflicts=True)
    there = Attempt.objects.filter(known_by=new.known_by).first()
    if there is None:  # it was forgotten at this very moment
        raise _in_progress()
    return new if there.pk == new.pk else _again(there, new)


def _again(there: Attempt, new: Attempt) -> Attempt:
    if there.asked != new.asked:
        raise Invalid(_("This key was used for another request. Take a new one."), field="Idempotency-Key")
    if there.status is not None:
        return there
    if there.batch is not None:
        sentence = _("This was done already. Its answer was given then, and cannot be given again.")
        raise Refused("already_done", sentence, **_done(there.batch))
    if new.begun_at - there.taken_at < RUNS_FOR:
        raise _in_progress()
    taken = there.mine().filter(batch__isnull=True, status__isnull=True)
    if not taken.update(turn=there.turn + 1, taken_at=new.begun_at):
        raise _in_progress()
    there.turn += 1
    return there


def finish(actor: Actor) -> None:
    """Say in the transaction of a command that it is done. Whoever was believed to be gone takes all of it back."""
    attempt = actor.attempt
    if attempt is not None and not attempt.mine().update(batch=actor.batch, organization=actor.organization):
        raise _in_progress()


def keep(attempt: Attempt, status: int, answer: str, headers: dict[str, str]) -> None:
    """What was answered, for whoever asks again. Where nothing was done, as in a dry run, it may run again."""
    rows = attempt.mine() if status >= 400 else attempt.mine().filter(batch__isnull=False)
    if not rows.update(status=status, answer=answer, headers=headers):
        abandon(attempt)


def abandon(attempt: Attempt) -> None:
    """Nothing came of it, so whoever asks again has it run anew. What was done stays done."""
    attempt.mine().filter(batch__isnull=True).delete()


def _in_progress() -> Refused:
    return Refused("in_progress", _("The same request is running. Ask again in a moment."))


def _done(batch: UUID) -> dict[str, Any]:
    """The id of what the command was about: its first event says it."""
    events = apps.get_model("portico", "Event")._default_manager.filter(batch=batch).order_by("id")
    ids = list(events.values_list("subject_id", flat=True)[:1])
    return {"id": ids[0]} if ids else {}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --- Forgetting ----------------------------------------------------------------------------------------------------


def forget(before: datetime, *, most: int) -> int:
    """Delete the oldest from before a moment; how many went."""
    old = Attempt.objects.filter(begun_at__lt=before).order_by("begun_at").values_list("pk", flat=True)[:most]
    return Attempt.objects.filter(pk__in=list(old)).delete()[0]


def erase(person: UUID, addresses: Iterable[str]) -> None:
    """Whatever somebody asked, and every answer that names them. What was done stays known as done."""
    Attempt.objects.filter(asker_id=person).delete()
    names_them = models.Q(answer__contains=str(person))
    for address in addresses:
        names_them |= models.Q(answer__contains=address)
    told = Attempt.objects.filter(names_them)
    told.filter(batch__isnull=True).delete()
    told.update(status=None, answer="", headers={})
