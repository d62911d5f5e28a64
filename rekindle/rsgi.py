"""The whole product as granian's RSGI application: many events may wait for one commit without a thread each."""

from __future__ import annotations

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rekindle.settings")
_django = get_wsgi_application()

from django.conf import settings  # noqa: E402 - Django must be set up before anything reads its settings

from rekindle.lib.logs import set_up_logs  # noqa: E402
from rekindle.web.routes import awaited, body_limit, handler_for, intake, takes_events  # noqa: E402
from rekindle.web.under_rsgi import Entrance  # noqa: E402

set_up_logs()
#: A batch of events makes thousands of objects that all die with the answer; with the default of 700 the collector
#: looked at them again and again (measured: 10 of 35 microseconds per event).
gc.set_threshold(50_000, 20, 50)
application = Entrance(
    intake=intake,
    takes_events=takes_events,
    awaited=awaited,
    handler_for=handler_for,
    body_limit=body_limit,
    rest=_django,
    threads=settings.REQUEST_THREADS,
)
