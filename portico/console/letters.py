"""The built-in outbox: letters that no mail server takes away, for whoever tries Portico on their own machine.

Whoever reads it can take over every account. So it is there only while this server talks to nobody else: no mail
server, a loopback address, and a request that comes from this very machine and through no proxy.
"""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from portico.delivery import folder
from portico.settings import is_loopback

from . import pages


def is_shown_to(request: HttpRequest) -> bool:
    """Whether this request may read other people's letters."""
    environment = settings.ENVIRONMENT
    if environment.email_url or not environment.is_loopback or was_forwarded(request):
        return False
    return is_loopback(str(request.META.get("REMOTE_ADDR", "")))


def was_forwarded(request: HttpRequest) -> bool:
    """Whether a proxy stands between: then the address that we see is the proxy's, and says nothing."""
    names = [name.lower() for name in request.headers]
    return any(name in {"forwarded", "via", "x-real-ip"} or name.startswith("x-forwarded") for name in names)


@never_cache
@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """The newest letters; one of them with `letter`; and that one as a file with `raw`."""
    if not is_shown_to(request):
        raise Http404
    if "letter" not in request.GET:
        return pages.render(request, "console/outbox.html", {"letters": folder.messages(), "count": folder.count()})
    name = request.GET["letter"]
    letter, raw = folder.message(name), folder.raw(name)
    if letter is None or raw is None:
        raise Http404
    if "raw" in request.GET:
        headers = {"Content-Disposition": f'attachment; filename="{letter.name}"'}
        return HttpResponse(raw, content_type="message/rfc822", headers=headers)
    return pages.render(request, "console/outbox_letter.html", {"letter": letter})
