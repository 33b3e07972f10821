"""Who may cause an SMS now.

One number's own limits are exact: they are read from the messages in the database, while the number's
Recipient row is held. Address, number block and site are counted in the cache in django-ratelimit's windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.utils import timezone

from django_smsverify.conf import conf
from django_smsverify.enums import Scope

from .lock import number_lock
from .per_number import check_number
from .shared import Toll, network, shared_limits


@contextmanager
def admission(phone: str, ip: str | None) -> Iterator[Toll]:
    """Passes the limits in their order, address, number, block, site, and holds the number for the body.

    When one of them or the body refuses, what was taken before is given back.

    Raises Throttled or ThrottleUnavailable.
    """
    toll = Toll()
    try:
        if ip is not None:
            toll.take(Scope.IP, network(ip), conf.IP_LIMITS)
        with number_lock(phone):
            check_number(phone, timezone.now())
            for scope, subject, limits in shared_limits(phone):
                toll.take(scope, subject, limits)
            yield toll
    except BaseException:
        toll.refund(*Scope)
        raise
