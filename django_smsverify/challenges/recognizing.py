"""Who asks for a code, and whether the request must bring a solved captcha first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum, auto
from typing import Any, NamedTuple, cast

from rest_framework.request import Request

from django_smsverify.conf import conf
from django_smsverify.enums import Refused
from django_smsverify.exceptions import CaptchaRequired
from django_smsverify.http.json_body import JSONRequest
from django_smsverify.limits import lists
from django_smsverify.limits.refusals import record
from django_smsverify.numbers import Requester, requester_of

from .captchas import captcha_of
from .client_keys import is_signed
from .tickets import digest_of_ticket


class Risk(Enum):
    """Why a request must bring a solved captcha."""

    EVERY_REQUEST = auto()
    """The site asks all for one."""
    NO_TICKET = auto()
    """Nothing shows that a page was open, or that an app asks."""


class Tokens(NamedTuple):
    """What a request brings to show who asks."""

    device: str = ""
    """A device token of the number."""
    ticket: str = ""
    """A page ticket."""
    is_covered: bool = False
    """A captcha was solved for its verification before, and another one is not needed."""


def recognize(
    request: JSONRequest, phone: str, purpose: str, ip: str, tokens: Tokens, *, asks: bool = True
) -> Requester:
    """Returns who asks for a code; raises CaptchaRequired, ThrottleUnavailable where a solution needs the cache, and
    what `lists.judge` raises.

    The owner of a number, as a device token shows, is asked for no captcha, nor is who is allowed by a list. Who solved
    one is trusted too. Unless it `asks`, as for a test number, neither lists nor captchas matter.
    """
    listed = lists.judge(phone, purpose, ip) if asks else None
    requester = requester_of(phone, device=tokens.device, listed=listed)
    captcha = captcha_of(purpose)
    if captcha is None or requester.is_free or not asks:
        return requester
    if tokens.is_covered or captcha.is_solved(request, cast("Mapping[str, Any]", request.data)):
        return replace(requester, has_solved=True)
    usable = digest_of_ticket(request._request, tokens.ticket)
    if why_risky(request, usable):
        record(phone, purpose, Refused.CAPTCHA)
        raise CaptchaRequired
    return replace(requester, ticket=usable, can_be_asked=True)


def why_risky(request: JSONRequest, ticket: str) -> Risk | None:
    """Returns why a request of a stranger must bring a solved captcha; None where it need not.

    `ticket` is the digest of a page ticket that is valid now, unless it was used before. A signature is used up.
    """
    if conf.CAPTCHA_WHEN == "always":
        return Risk.EVERY_REQUEST
    return None if ticket or is_signed(request) else Risk.NO_TICKET


@contextmanager
def captcha_offered(request: Request, purpose: str) -> Iterator[None]:
    """Adds a new captcha to a CaptchaRequired of the body; raises Throttled instead where that is asked too often."""
    try:
        yield
    except CaptchaRequired as error:
        because, captcha = error.because, captcha_of(purpose)
    else:
        return
    raise CaptchaRequired(because, captcha.offer(request) if captcha else None)
