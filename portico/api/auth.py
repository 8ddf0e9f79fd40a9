"""Who asks: a token, or the console's session with its CSRF token."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from portico import web
from portico.domain import organizations, tokens
from portico.domain.access import Member, Person, Service, Via, needs_person
from portico.domain.errors import Missing, Unauthenticated
from portico.domain.organizations import Organization
from portico.domain.people import User

Acting = TypeVar("Acting", Member, Service, Person, Member | Service)


@dataclass(frozen=True)
class Asker:
    """Whoever is behind a request, before it is known which organization is meant."""

    via: Via
    user: User | None = None
    by_token: Member | Service | None = None
    now: datetime = field(default_factory=timezone.now)

    @property
    def id(self) -> UUID:
        """Of the person, or of the token."""
        if self.user is not None:
            return self.user.pk
        assert self.by_token is not None  # noqa: S101  # somebody asks
        assert self.by_token.token is not None  # noqa: S101
        return self.by_token.token.pk


class Token(HttpBearer):
    """`Authorization: Bearer ptc_…`"""

    def authenticate(self, request: HttpRequest, token: str) -> Asker:
        now, via = timezone.now(), web.via(request, "api")
        actor = tokens.authenticate(token, via, now)
        assert actor.token is not None  # noqa: S101  # who was found by a token has it
        tokens.used(actor.token, now)
        return Asker(via, by_token=actor)


class Session(APIKeyCookie):
    """The session of the console. What changes something needs its CSRF token in X-CSRFToken."""

    param_name = settings.SESSION_COOKIE_NAME

    def __init__(self) -> None:
        super().__init__(csrf=False)  # asked below, so that the answer is one of ours

    def authenticate(self, request: HttpRequest, key: str | None) -> Asker | None:
        if not request.user.is_authenticated:
            return None
        if check_csrf(request):
            raise Unauthenticated
        return Asker(web.via(request, "api"), user=request.user)


EITHER = [Token(), Session()]


def asker(request: HttpRequest) -> Asker:
    return request.auth  # type: ignore[attr-defined]


def actor_in(request: HttpRequest, named: str) -> Member | Service:
    """Whoever asks, in the organization that a slug or an id names. For all others it does not exist."""
    who = asker(request)
    if who.user is not None:
        return _signed_in(request, who, named)
    actor = who.by_token
    if actor is None or not _is_at(actor, named):
        raise Missing
    return _with_key(request, actor)


def _is_at(actor: Member | Service, named: str) -> bool:
    """Whether this is what a token is for. The operator's is for each organization, and is told here which one."""
    here = actor.organization
    if here is not None and named in {here.slug, str(here.pk)}:
        return True
    there = organizations.named(named)
    if here is None:
        actor.organization = there
    return there is not None and actor.organization == there


def active_in(request: HttpRequest, named: str) -> Member | Service:
    """The same, for what every active member may see. Whoever is suspended, or past their end, is told so."""
    actor = actor_in(request, named)
    actor.explain_why_nothing_is_held()
    return actor


def member_in(request: HttpRequest, named: str) -> Member:
    """The same, for what a service token cannot be: a member."""
    actor = actor_in(request, named)
    if isinstance(actor, Service):
        raise needs_person()
    return actor


def place_of_token(actor: Member | Service) -> Organization | None:
    """The organization of a token, as long as it holds anything there. The operator's is of none."""
    here = actor.organization
    awake = actor.membership.is_effective(actor.now) if isinstance(actor, Member) else True
    return here if here and awake and not here.closed_at else None


def place(actor: Member | Service) -> Organization:
    """Where an actor of this request acts; also the operator's token has been told."""
    assert actor.organization is not None  # noqa: S101  # `actor_in` found it
    return actor.organization


def person(request: HttpRequest) -> Person:
    """The one behind the session, for what is nobody's but theirs. A token is not a person."""
    who = asker(request)
    if who.user is None:
        raise needs_person()
    return _with_key(request, Person(via=who.via, user=who.user, proved_at=web.proved_at(request)))


def _signed_in(request: HttpRequest, who: Asker, named: str) -> Member:
    membership = organizations.mine_named(who.user, named) if who.user else None
    if membership is None:
        raise Missing
    return _with_key(request, Member.of(membership, who.via, proved_at=web.proved_at(request)))


def _with_key(request: HttpRequest, actor: Acting) -> Acting:
    """Whoever named a key has what is asked done once."""
    actor.attempt = getattr(request, "attempt", None)
    return actor
