"""What every request to the API passes, whichever operation it means, and every answer on its way out."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseNotAllowed
from django.views.decorators.csrf import csrf_exempt

from . import limits, problems

View = Callable[..., HttpResponse]


Handler = Callable[[HttpRequest, Exception], HttpResponse]


def through(view: View, on_exception: Handler) -> View:
    """The same view, behind the door. A HEAD is a GET whose body the server leaves out.

    `on_exception` makes a problem of whatever goes wrong before and after an operation, as the framework does within.
    """

    @csrf_exempt  # a session's token is asked for by `auth`, whose refusal is one of ours
    @wraps(view)
    def run(request: HttpRequest, **given: Any) -> HttpResponse:
        asked, request.method = request.method, "GET" if request.method == "HEAD" else request.method
        try:
            answer = view(request, **given)
            if answer.status_code == 401:
                answer = limits.stranger(request, answer)
        except Exception as error:  # whatever it is, programs read a problem
            answer = on_exception(request, error)
        request.method = asked
        if isinstance(answer, HttpResponseNotAllowed):
            answer = problems.not_like_this(answer.headers["Allow"])
        for name, value in limits.told(request).items():
            answer.headers[name] = value
        answer.headers.setdefault("Cache-Control", "private, no-cache" if "ETag" in answer.headers else "no-store")
        return answer

    return run
