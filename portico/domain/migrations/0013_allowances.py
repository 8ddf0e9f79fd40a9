"""Where requests are counted on PostgreSQL. What is counted lasts for a minute, so it need not survive a crash."""

from django.db import migrations, transaction
from django.db.utils import DatabaseError

from portico.domain.allowances import TABLE


def make(apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor == "postgresql":
        schema_editor.execute(TABLE)
        try:
            with transaction.atomic(using=connection.alias):
                schema_editor.execute("ALTER TABLE portico_allowance SET UNLOGGED")
        except DatabaseError:  # a relative of PostgreSQL may not know this; there it is counted a little slower
            pass


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TABLE portico_allowance")


class Migration(migrations.Migration):
    dependencies = [("portico", "0012_attempts")]
    operations = [migrations.RunPython(make, remove)]
