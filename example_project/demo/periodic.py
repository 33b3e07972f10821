"""What a real site lets cron run every minute, and what its vendors do meanwhile: here a thread does it."""

from __future__ import annotations

import logging
import time
from threading import Event, Thread

from django.db import close_old_connections, connections

from demo.reviewers import Reviewers
from demo.vendors import sandbox
from django_smsverify.polling.poll import poll

logger = logging.getLogger("django_smsverify.demo")

EVERY = 2.0
"""Seconds between two runs."""


class Periodic(Thread):
    """Runs until the `with` block ends."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._reviewers = Reviewers(sandbox)
        self._stopped = Event()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self.join()

    def run(self) -> None:
        while not self._stopped.wait(EVERY):
            close_old_connections()
            try:
                self._reviewers.work(time.monotonic())
                poll(stopped=self._stopped.is_set)
            except Exception:  # the next run may do better
                logger.exception("The periodic run of the demo failed.")
        connections.close_all()
