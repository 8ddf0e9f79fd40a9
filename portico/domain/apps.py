"""Tells Django of the domain."""

from django.apps import AppConfig


class DomainConfig(AppConfig):
    name = "portico.domain"
    label = "portico"

    def ready(self) -> None:
        """Read the operator's permissions now, so that a malformed file stops the start."""
        from .permissions import catalogue  # noqa: PLC0415  # reads the settings, which are ready only now

        catalogue()
