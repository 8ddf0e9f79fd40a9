from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The REST API. Its label keeps it apart from whatever else calls itself api."""

    name = "portico.api"
    label = "portico_api"
