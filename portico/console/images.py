"""The pictures of organizations and people, as browsers and mail programs fetch them.

For everybody: they stand in letters and on the page of an invitation. Who has no address of one cannot guess it, and a
picture says nothing of whose it is. Under one address there is always the same picture, so it is asked for once.
"""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from portico.domain import images

FOR_EVER = "public, max-age=31536000, immutable"


@require_safe
def show(request: HttpRequest, file: str) -> HttpResponse:
    try:
        content = images.content(file)
    except OSError:
        return HttpResponse(status=503, headers={"Retry-After": "60"})
    if content is None:
        raise Http404
    return HttpResponse(content, content_type="image/webp", headers={"Cache-Control": FOR_EVER})
