"""Flood protection by django-ratelimit: refuses more calls from one address than people can make.

What costs money or a guess has its own limits; this one protects the database from calls that cost nothing. It is wide,
as thousands of people may share an address.
"""

from __future__ import annotations

import logging

from django_ratelimit.core import get_usage

from django_smsverify.enums import Scope
from django_smsverify.exceptions import Throttled

from .cache import call_cache, digest
from .shared import networks

logger = logging.getLogger("django_smsverify")

RATE = "600/m"


def check_flood(what: str, ip: str) -> None:
    """Counts one call from an address; raises Throttled for more than RATE. Does nothing when the cache fails."""
    address, _ = next(networks(ip))
    value = digest(Scope.IP, address)
    try:
        usage = call_cache(
            lambda cache: get_usage(
                None, group=f"smsverify.{what}", key=lambda group, request: value, rate=RATE, increment=True
            )
        )
    except Exception as error:
        logger.error("The throttle's cache failed (%s): calls of %s are not counted.", type(error).__name__, what)
        return
    # Without an answer from the cache, `time_left` is -1.
    if usage and usage["should_limit"] and usage["time_left"] >= 0:
        raise Throttled(Scope.IP, max(1, usage["time_left"]))
