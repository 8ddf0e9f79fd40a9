"""Where a sentence waits for the next page: in a cookie with a prefix, as all of ours, that no other host can set."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class Cookie(CookieStorage):
    cookie_name = "__Host-messages" if settings.SECURE else "messages"


class Storage(FallbackStorage):
    """What is too long for a cookie waits in the session."""

    storage_classes = (Cookie, SessionStorage)
