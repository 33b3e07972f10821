"""Background tasks for Celery and django.tasks: the commands, and sending queued messages.

Celery searches this module for tasks.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec

if find_spec("celery"):
    from . import for_celery as for_celery
# Fails without django.tasks, or if TASKS of the site do not accept ours; a check reports this if ours are used.
with suppress(Exception):
    from .for_django import balance as balance
    from .for_django import poll as poll
    from .for_django import probe as probe
    from .for_django import prune as prune
