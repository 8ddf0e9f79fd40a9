"""Workspaces have a colour and keep their former addresses; an organization has billing information."""

import django.db.models.deletion
import uuid_utils.compat
from django.db import migrations, models

ID = models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)


def named(*fields, name):
    return models.UniqueConstraint(fields=fields, name=name)


class Migration(migrations.Migration):
    dependencies = [("portico", "0004_tokens")]
    operations = [
        migrations.AddField(
            model_name="workspace",
            name="color",
            field=models.CharField(default="violet", max_length=16),
        ),
        migrations.CreateModel(
            name="FormerWorkspaceSlug",
            fields=[
                ("id", ID),
                ("slug", models.CharField(max_length=40)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="portico.organization"
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="former_slugs",
                        to="portico.workspace",
                    ),
                ),
            ],
            options={
                "constraints": [
                    named("organization", "id", name="former_workspace_slug_of_organization"),
                    named("organization", "slug", name="one_workspace_per_former_slug"),
                ],
            },
        ),
        migrations.CreateModel(
            name="BillingProfile",
            fields=[
                ("id", ID),
                ("legal_name", models.CharField(default="", max_length=160)),
                ("email", models.CharField(default="", max_length=254)),
                ("line1", models.CharField(default="", max_length=120)),
                ("line2", models.CharField(default="", max_length=120)),
                ("city", models.CharField(default="", max_length=80)),
                ("region", models.CharField(default="", max_length=80)),
                ("postal_code", models.CharField(default="", max_length=20)),
                ("country", models.CharField(default="", max_length=2)),
                ("tax_id", models.CharField(default="", max_length=40)),
                ("purchase_order", models.CharField(default="", max_length=80)),
                ("currency", models.CharField(default="", max_length=3)),
                ("version", models.PositiveIntegerField(default=0)),
                (
                    "organization",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="billing_profile",
                        to="portico.organization",
                    ),
                ),
            ],
            options={"constraints": [named("organization", "id", name="billing_of_organization")]},
        ),
    ]
