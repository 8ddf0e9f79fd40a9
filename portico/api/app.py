"""The REST API, version 1: what each refusal becomes, and which files hold its operations."""

import logging
from functools import cached_property
from typing import Any

import msgspec
from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, Throttled, ValidationError
from ninja.renderers import BaseRenderer

from portico.domain.errors import Missing, Refusal, Unauthenticated

from . import (
    auth,
    billing,
    check,
    events,
    handovers,
    images,
    invitations,
    limits,
    me,
    members,
    organizations,
    permissions,
    problems,
    roles,
    schema,
    tokens,
    workspaces,
)

log = logging.getLogger("portico.api")


class Json(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: object, *, response_status: int) -> bytes:
        return msgspec.json.encode(data)


class Api(NinjaAPI):
    @cached_property
    def schema(self) -> Any:
        """It is the same until another version is started."""
        return schema.completed(super().get_openapi_schema())

    def get_openapi_schema(self, **_given: Any) -> Any:
        return self.schema


api = Api(
    title="Portico",
    version="1",
    urls_namespace="api:v1",
    auth=auth.EITHER,
    throttle=[limits.Limiter()],
    renderer=Json(),
    docs_url=None,
    servers=[{"url": settings.BASE_URL}],
)
NOUNS = (
    permissions, me, organizations, images, handovers, members, invitations, roles, workspaces, billing, tokens, events,
    check,
)  # fmt: skip
for each in NOUNS:
    api.add_router("", each.router)


@api.exception_handler(Refusal)
def no(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    return problems.of_refusal(refusal)


@api.exception_handler(ValidationError)
def not_well_formed(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return problems.of_shape(error)


@api.exception_handler(OperationalError)
@api.exception_handler(InterfaceError)
def away(request: HttpRequest, error: Exception) -> HttpResponse:
    return problems.away()


@api.exception_handler(AuthenticationError)
def nobody_asks(request: HttpRequest, error: Exception) -> HttpResponse:
    return problems.of_refusal(Unauthenticated())


@api.exception_handler(Throttled)
def too_often(request: HttpRequest, error: Exception) -> HttpResponse:
    return limits.refusal(request)


@api.exception_handler(Http404)
def not_there(request: HttpRequest, error: Exception) -> HttpResponse:
    return problems.of_refusal(Missing())


@api.exception_handler(RequestDataTooBig)
def too_large(request: HttpRequest, error: Exception) -> HttpResponse:
    """What Django reads at most, where an operation would take more."""
    return problems.too_large(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


@api.exception_handler(HttpError)
@api.exception_handler(BadRequest)
@api.exception_handler(MultiPartParserError)
@api.exception_handler(UnreadablePostError)
def malformed(request: HttpRequest, error: Exception) -> HttpResponse:
    """A body that cannot be parsed; the framework raises HttpError for nothing else."""
    return problems.malformed()


@api.exception_handler(Exception)
def broken(request: HttpRequest, error: Exception) -> HttpResponse:
    log.error("%s %s failed.", request.method, request.path, exc_info=error)
    return problems.broken()
