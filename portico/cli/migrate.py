"""`portico migrate`"""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portico.cli.command import Done


def migrate() -> Done:
    """Bring the database up to this version. `serve` does it by itself."""
    from portico import schema

    applied = [f"{app}.{name}" for app, name in schema.bring_up_to_date()]
    if not applied:
        return Done(_("The database is up to date."), {"applied": []})
    sentence = ngettext("Applied %(n)d migration.", "Applied %(n)d migrations.", len(applied))
    return Done(sentence % {"n": len(applied)}, {"applied": applied})
