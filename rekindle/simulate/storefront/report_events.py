"""How does Rekindle learn what the shop's server knows, even if it is down right now? Repeated until it said 2xx."""

from __future__ import annotations

import base64
import http.client
import json
import logging
import queue
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

TIMEOUT_S = 4.0
RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)


class Reporter:
    """Posts to ``/v1/track`` or ``/v1/identify``: once at once, then from a thread until it is taken."""

    def __init__(self, rekindle_url: str, key: str) -> None:
        self._url = urlsplit(rekindle_url)
        if self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise ValueError("the address of Rekindle must begin with http:// or https://")
        self._key = base64.b64encode(f"{key}:".encode()).decode()
        self._waiting: queue.SimpleQueue[tuple[dict[str, object], Callable[[], None]]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def report(self, body: dict[str, object], done: Callable[[], None]) -> bool:
        """Tell one event; ``done`` is called when it was taken, now (True) or later (False)."""
        if self._post(body):
            done()
            return True
        self._waiting.put((body, done))
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._repeat, name="report-events", daemon=True)
                self._thread.start()
        return False

    def stop(self) -> None:
        self._stopped.set()

    def _repeat(self) -> None:
        while not self._stopped.is_set():
            body, done = self._waiting.get()
            tries = 0
            while not self._post(body):
                if self._stopped.wait(RETRY_S[min(tries, len(RETRY_S) - 1)]):
                    return
                tries += 1
            done()

    def _post(self, body: dict[str, object]) -> bool:
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        connection = kind(str(self._url.hostname), self._url.port, timeout=TIMEOUT_S)
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {self._key}"}
        try:
            connection.request("POST", f"{self._url.path}/v1/{body['type']}", json.dumps(body), headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as problem:
            log.warning("Rekindle cannot be reached (%s); the event will be told again", type(problem).__name__)
            return False
        finally:
            connection.close()
        if not 200 <= status < 300:
            log.warning("Rekindle answered %d to an event; it will be told again", status)
        return 200 <= status < 300
