"""Which door answers which path."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from portico import health
from portico.api import problems
from portico.console import middleware
from portico.console import urls as console

API = "api/"

urlpatterns = [
    path("", include(health)),
    path(API, include("portico.api.urls")),
    path("", include(console)),
]


def malformed(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What was refused before any door was reached: a problem for programs, a page for people."""
    if request.path.startswith(f"/{API}"):
        return problems.unreadable()
    return middleware.malformed(request, exception)


handler400 = malformed
handler404 = "portico.console.home.not_found"
