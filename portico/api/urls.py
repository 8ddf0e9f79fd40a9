"""Which part of the API answers which path; and what is nowhere is a problem too, as programs read it."""

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from portico.domain.errors import Missing

from . import docs, problems
from .app import api
from .door import through


@csrf_exempt
def nowhere(request: HttpRequest) -> HttpResponse:
    return problems.of_refusal(Missing())


app_name = "api"
operations, _app, namespace = api.urls
for each in operations:
    # What ninja would show at the root is a page of its own, which there is not.
    each.callback = (
        nowhere
        if getattr(each, "name", "") == "api-root" or not each.callback
        else through(each.callback, api.on_exception)
    )
urlpatterns = [
    path("v1/", (operations, "ninja", namespace)),
    path("docs", docs.show, name="docs"),
    re_path("", nowhere, name="nowhere"),
]
