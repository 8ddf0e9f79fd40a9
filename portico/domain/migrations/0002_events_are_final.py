"""Events are never changed or deleted: the database itself refuses it."""

from django.db import migrations

REFUSALS = {
    "sqlite": (
        [
            "CREATE TRIGGER portico_event_no_update BEFORE UPDATE ON portico_event "
            "BEGIN SELECT RAISE(ABORT, 'events are final'); END",
            "CREATE TRIGGER portico_event_no_delete BEFORE DELETE ON portico_event "
            "BEGIN SELECT RAISE(ABORT, 'events are final'); END",
        ],
        ["DROP TRIGGER portico_event_no_update", "DROP TRIGGER portico_event_no_delete"],
    ),
    "postgresql": (
        [
            "CREATE FUNCTION portico_events_are_final() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'events are final'; END $$",
            "CREATE TRIGGER portico_event_final BEFORE UPDATE OR DELETE ON portico_event "
            "FOR EACH ROW EXECUTE FUNCTION portico_events_are_final()",
        ],
        ["DROP TRIGGER portico_event_final ON portico_event", "DROP FUNCTION portico_events_are_final()"],
    ),
}


def refuse(apps, schema_editor):
    for statement in REFUSALS[schema_editor.connection.vendor][0]:
        schema_editor.execute(statement)


def allow(apps, schema_editor):
    for statement in REFUSALS[schema_editor.connection.vendor][1]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("portico", "0001_initial")]
    operations = [migrations.RunPython(refuse, allow)]
