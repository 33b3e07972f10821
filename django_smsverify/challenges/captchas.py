"""The captcha of a purpose: one of the kinds that come with the package, or a function of the site."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from rest_framework.request import Request

from django_smsverify.conf import CaptchaCheck, CaptchaKind, conf

from . import image
from .altcha import AltchaCaptcha


class Captcha(Protocol):
    """What a person must solve."""

    def offer(self, request: Request) -> dict[str, Any]:
        """Returns what a front end needs to show a new one; empty where it needs nothing from us. Raises Throttled."""

    def is_solved(self, request: Request, data: Mapping[str, Any]) -> bool:
        """Whether the body has a solution; it is used up. A bad, old or used one, or none, is no error.

        Raises ThrottleUnavailable.
        """


class SiteCaptcha:
    """A function of the site, with the captcha of a service of its choice."""

    def __init__(self, check: CaptchaCheck) -> None:
        self._check = check

    def offer(self, request: Request) -> dict[str, Any]:
        return {}

    def is_solved(self, request: Request, data: Mapping[str, Any]) -> bool:
        return bool(self._check(request, data))


KINDS: dict[CaptchaKind, image.ImageCaptcha | AltchaCaptcha] = {
    "image": image.ImageCaptcha(),
    "altcha": AltchaCaptcha(),
}


def captcha_of(purpose: str) -> Captcha | None:
    """Returns the captcha of a purpose, or None if it has none."""
    found = conf.of(purpose).CAPTCHA
    if found is None:
        return None
    return KINDS[found] if isinstance(found, str) else SiteCaptcha(found)


def forget_old() -> Iterator[str]:
    """Deletes expired images, if the site shows any; yields the word that the poll counts, for each."""
    if "image" in kinds_in_use() and not KINDS["image"].why_unusable():
        yield from image.forget_old()


def kinds_in_use() -> list[CaptchaKind]:
    """Returns the kinds that come with the package and that the settings name, for all purposes or for one."""
    named = [conf.CAPTCHA, *(conf.of(purpose).CAPTCHA for purpose in conf.PURPOSES)]
    return [kind for kind in KINDS if kind in named]
