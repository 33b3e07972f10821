"""The commands and the delivery of queued messages as background tasks: of Celery, of django.tasks, or of both.

Celery looks for its tasks here.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec

if find_spec("celery"):
    from . import for_celery as for_celery
# Without django.tasks, or where a site's TASKS are for other tasks than ours; a check tells, where ours are used.
with suppress(Exception):
    from .for_django import balance as balance
    from .for_django import poll as poll
