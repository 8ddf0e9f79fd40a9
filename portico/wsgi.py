"""What the server runs.

The server answers with a few threads that live long, and Django keeps a connection to the database for each thread
(CONN_MAX_AGE): so requests do not connect anew, and there are never more connections than threads.
"""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portico.settings")
django = get_wsgi_application()

from portico import front, metrics, traces, watch  # noqa: E402  # their tables are there only now
from portico.api import quick  # noqa: E402

application = traces.traced(front.numbered(quick.in_front_of(metrics.in_front_of(front.observed(django)))))
watch.begin()
