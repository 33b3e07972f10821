"""The Celery app, in the tests and, as `tests.queues.app`, in the worker."""

from __future__ import annotations

import os

from celery import Celery


def make_app(broker: str, queue: str) -> Celery:
    """A Celery app as a site has it, but with a queue of its own."""
    app = Celery("queues", broker=broker, set_as_current=False)
    app.conf.update(task_default_queue=queue, worker_enable_remote_control=False)
    app.autodiscover_tasks()
    return app


if "QUEUE_BROKER" in os.environ:
    app = make_app(os.environ["QUEUE_BROKER"], os.environ["QUEUE_NAME"])
    app.set_default()
