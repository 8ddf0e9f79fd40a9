"""An organization's picture."""

from typing import Any

from django.core.files import File
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from portico.domain import images, organizations
from portico.domain.errors import Invalid, Missing
from portico.domain.permissions import ORGANIZATION_MANAGE

from . import auth
from .operations import KIB, MB, Router, at_most
from .organizations import Organization, one, shown

router = Router(tags=["Organizations"])
FIELD, FORM = "image", "multipart/form-data"
# Of the form around it, besides the picture itself.
FRAME = 64 * KIB
FILE = {"type": "string", "format": "binary", "description": f"PNG, JPEG or WEBP, {images.MEGABYTES} MB at most"}
SENT = {"type": "object", "required": [FIELD], "properties": {FIELD: FILE}, "additionalProperties": False}


@router.put(
    "/organizations/{org}/image",
    response=Organization,
    openapi_extra={"requestBody": {"required": True, "content": {FORM: {"schema": SENT}}}},
)
@at_most(images.MEGABYTES * MB + FRAME)
def show(request: HttpRequest, org: str) -> HttpResponse:
    """Set its picture

    It is cut to a square and made anew. Needs `organization.manage`.
    """
    actor = auth.actor_in(request, org)
    actor.require(ORGANIZATION_MANAGE)  # before it is read, because that takes its time
    name = images.keep(images.read(sent(request)))
    return one(request, organizations.change(actor, image=name, version=shown(request, actor)))


@router.delete("/organizations/{org}/image", response={204: None})
def hide(request: HttpRequest, org: str) -> None:
    """Take its picture away

    Needs `organization.manage`.
    """
    actor = auth.actor_in(request, org)
    actor.require(ORGANIZATION_MANAGE)
    if not auth.place(actor).image:
        raise Missing
    organizations.change(actor, image="", version=shown(request, actor))


def sent(request: HttpRequest) -> "File[bytes]":
    """The file of the form, which Django reads for a POST only."""
    if request.content_type != FORM:
        raise Invalid(_("Send the picture as a form, multipart/form-data, with the field “image”."), field=FIELD)
    fields, files = request.parse_file_upload(request.META, request)  # type: ignore[arg-type]  # as Django does
    if unknown := sorted((fields.keys() | files.keys()) - {FIELD}):
        raise Invalid(_("There is no field “%(name)s” here.") % {"name": unknown[0][:80]}, field=unknown[0][:80])
    upload: Any = files.get(FIELD)
    return upload
