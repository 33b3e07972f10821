"""The settings of a site in its tests: what would refuse a request is open, unless the test says otherwise."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from django.conf import ENVIRONMENT_VARIABLE, settings

from django_smsverify.conf import KEYS

LIMITS: dict[str, object] = {
    "RESEND_INTERVAL": 0,
    "PHONE_LIMITS": (),
    "GUESS_LIMIT": "1000000/d",
    "IP_LIMITS": (),
    "PREFIX_LIMITS": (),
    "GLOBAL_LIMITS": (),
    "CAPTCHA": None,
    "GUARD": "off",
    "BUDGET": {},
    "NUMBER_KINDS": {},
}
"""The keys that may refuse a request, with values that refuse none."""
ALWAYS: dict[str, object] = {"DISPATCH": "inline"}
"""In a test there is no worker."""
NOTHING = object()


class OpenSettings:
    """SMSVERIFY for one test."""

    def __init__(self) -> None:
        self._site = dict(_as_mapping(_of_site()))
        """As the site has it, whatever a test overrides, or changes within the dict."""
        self._open = {**LIMITS, **ALWAYS}
        self._limits: dict[str, object] = {}

    def written(self) -> Mapping[str, Any]:
        """Returns what holds now: limits that the test has set, what it overrides, and what is open of the rest."""
        now = _as_mapping(getattr(settings, "SMSVERIFY", {}))
        untouched = {name: value for name, value in self._open.items() if self._is_of_site(name, now)}
        return {**now, **untouched, **self._limits, **self._open_purposes(now)}

    def limit(self, limits: Mapping[str, object]) -> None:
        """Has these limits hold, or for none all that the site has; raises TypeError and ValueError."""
        if not limits:
            self._open = ALWAYS
        for name, value in limits.items():
            if name not in LIMITS:
                raise TypeError(f"{name} is no limit, as are {', '.join(LIMITS)}. For others use override_settings.")
            try:
                KEYS[name].read(value)
            except ValueError as error:
                raise ValueError(f"{name} is {value!r}. Use {error}.") from None
        self._limits.update(limits)

    def _open_purposes(self, now: Mapping[str, Any]) -> Mapping[str, Any]:
        """The overrides of purposes, without those of limits."""
        purposes = _as_mapping(now.get("PURPOSES"))
        if not purposes or not self._is_of_site("PURPOSES", now):
            return {}
        return {
            "PURPOSES": {
                purpose: {name: value for name, value in _as_mapping(own).items() if name not in self._open}
                for purpose, own in purposes.items()
            }
        }

    def _is_of_site(self, name: str, now: Mapping[str, Any]) -> bool:
        return name not in now or bool(now[name] == self._site.get(name, NOTHING))


def _of_site() -> object:
    """SMSVERIFY in the site's module of settings: by now a test class may override it."""
    module = sys.modules.get(os.environ.get(ENVIRONMENT_VARIABLE, ""))
    return getattr(module or settings, "SMSVERIFY", {})


def _as_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
