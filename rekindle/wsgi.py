"""The whole product as one WSGI application, for any WSGI server. `rekindle serve` uses `rekindle.rsgi`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rekindle.settings")
_django = get_wsgi_application()

from rekindle.lib.logs import set_up_logs  # noqa: E402 - Django must be set up before anything reads its settings
from rekindle.web.routes import handler_for  # noqa: E402
from rekindle.web.under_wsgi import dispatcher  # noqa: E402

set_up_logs()
application = dispatcher(handler_for, _django)
