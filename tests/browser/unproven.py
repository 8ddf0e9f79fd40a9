"""Run beside an installation: everybody's last proof of who they are becomes an hour older."""

import django

if __name__ == "__main__":
    django.setup()
    from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session

    for key in Session.objects.values_list("session_key", flat=True):
        session = SessionStore(key)
        for record in session.get(AUTHENTICATION_METHODS_SESSION_KEY, []):
            record["at"] -= 3600
        session.modified = True
        session.save()
