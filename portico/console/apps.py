"""The pages."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "portico.console"
    label = "console"
