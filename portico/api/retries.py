"""Asking again: `Idempotency-Key` on whatever a POST changes. What is done once is kept by `domain/retries.py`."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from portico.domain import retries
from portico.domain.errors import Refusal
from portico.domain.retries import Attempt

from . import auth, problems
from .answers import Secret

HEADER = "Idempotency-Key"
HEADERS = ("Content-Type", "Location", "ETag")  # of an answer that is given again
# Answers that say nothing of what was asked: who asked, how much, how often, or that Portico was broken.
NOT_KEPT = frozenset({401, 413, 429})
# Whoever is told one of these is told to ask the same again.
ASK_AGAIN = frozenset({"prove_again", "in_progress"})


def once(request: HttpRequest, run: Callable[[], HttpResponse]) -> HttpResponse:
    """The answer of `run`; or where the same was asked before, what was answered then."""
    key = request.headers.get(HEADER)
    if key is None:
        return run()
    address = f"{request.method} {request.path}"
    asked = request.META["QUERY_STRING"].encode() + b"\n" + request.body
    attempt = retries.begin(auth.asker(request).id, address, key, asked, timezone.now())
    if attempt.status is not None:
        _ensure_may_hear(request, attempt)
        return HttpResponse(attempt.answer, status=attempt.status, headers=attempt.headers)
    request.attempt = attempt  # type: ignore[attr-defined]  # for the actor, and so for the command
    return _kept(attempt, run)


def _ensure_may_hear(request: HttpRequest, attempt: Attempt) -> None:
    """What was answered then is told only to whoever belongs there still."""
    here = request.resolver_match.kwargs.get("org") if request.resolver_match else None
    if here is not None and attempt.answer:
        auth.active_in(request, here)


def _kept(attempt: Attempt, run: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        answer = run()
    except Refusal as refusal:
        if refusal.code in ASK_AGAIN:
            retries.abandon(attempt)
            raise
        answer = problems.of_refusal(refusal)
    except BaseException:
        retries.abandon(attempt)
        raise
    if answer.status_code in NOT_KEPT or answer.status_code >= 500:
        retries.abandon(attempt)
    elif not isinstance(answer, Secret):
        headers = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
        retries.keep(attempt, answer.status_code, answer.content.decode(), headers)
    return answer
