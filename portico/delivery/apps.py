"""Letters leave from here."""

from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    name = "portico.delivery"
    label = "delivery"
