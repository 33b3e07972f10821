"""The settings dict SMSVERIFY, read on each access and validated key by key.

A system check reports an invalid value; until it is corrected, the key's default is used, so that no request fails.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, Literal, NamedTuple, TypeVar, cast, get_args

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from .enums import Period
from .masked import Secret
from .types import PrivateHosts

BUILTIN_GATEWAYS = {
    "topthink": "django_smsverify.gateways.topthink.TopThinkGateway",
    "veesing": "django_smsverify.gateways.veesing.VeeSingGateway",
    "apispace": "django_smsverify.gateways.apispace.APISpaceGateway",
    "ihuyi": "django_smsverify.gateways.ihuyi.IhuyiGateway",
    "qixuntong": "django_smsverify.gateways.qixuntong.QixuntongGateway",
    "aliyun": "django_smsverify.gateways.aliyun.AliyunGateway",
    "aliyun_pnvs": "django_smsverify.gateways.aliyun.identity.AliyunPnvsGateway",
    "tencent": "django_smsverify.gateways.tencent.TencentGateway",
    "twilio": "django_smsverify.gateways.twilio.TwilioGateway",
    "console": "django_smsverify.gateways.local.ConsoleGateway",
    "memory": "django_smsverify.gateways.local.MemoryGateway",
}
CLIENT_IP_HEADERS = {"X-Forwarded-For": "HTTP_X_FORWARDED_FOR", "X-Real-IP": "HTTP_X_REAL_IP"}
"""Headers in which a proxy sends the client's address, and their names in `request.META`."""
PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
RATE = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,4})?([smhd])", re.ASCII)


URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.ASCII | re.IGNORECASE)
"""How every URL of apprise begins."""
TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{20,}", re.ASCII)
"""What may stand in a header after `Bearer`, and cannot be guessed."""
SITE = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+/?", re.ASCII)


class Limit(NamedTuple):
    """At most `times` in any window of `seconds`; written `"5/h"` or `"1/10m"` in the settings."""

    times: int
    seconds: int


Budget = Mapping[Period, Decimal]
"""Yuan that may be spent within a day or a month, or both; a period that is missing has no limit."""
UNCHANGING = (int, str, tuple)
CaptchaCheck = Callable[[Any, Mapping[str, Any]], bool]
SameOwner = Callable[[str, datetime], bool]
"""Whether a number, as E.164, still belongs to whom it belonged at a moment."""
CaptchaKind = Literal["image", "altcha"]
T = TypeVar("T")


def _refuse(request: Any, data: Mapping[str, Any]) -> bool:
    """Replaces a captcha that cannot be imported: it is safer to send no SMS than to send without a captcha."""
    return False


def _integer(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return value

    return read


def _limit(value: object) -> Limit:
    match = RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a rate such as "5/h" or "20/d": a count, a slash, and s, m, h or d')
    times, multiple, period = match.groups()
    return Limit(int(times), int(multiple or 1) * PERIODS[period])


def _limits(value: object) -> tuple[Limit, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError('a list of rates such as ("5/h", "10/d"), or () for none')
    return tuple(dict.fromkeys(_limit(item) for item in value))


def _client_ip_header(value: object) -> str:
    if not isinstance(value, str) or value not in CLIENT_IP_HEADERS:
        raise ValueError('"X-Forwarded-For" or "X-Real-IP"')
    return value


def _regions(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not value or not all(is_region(str(region)) for region in value):
        raise ValueError('a list of two-letter regions such as ("CN", "HK"), with at least one')
    return tuple(value)


def is_region(region: str) -> bool:
    """Whether phonenumbers knows a region by these two letters."""
    if region == "CN":  # the default, without the library's tables
        return True
    from phonenumbers import SUPPORTED_REGIONS

    return region in SUPPORTED_REGIONS


def _captcha(value: object) -> CaptchaCheck | CaptchaKind | None:
    if value is None:
        return None
    if isinstance(value, str) and value in get_args(CaptchaKind):
        return cast("CaptchaKind", value)
    try:
        found = import_string(value) if isinstance(value, str) else None
    except Exception:  # the module may raise anything while it is imported
        found = None
    if not callable(found):
        raise ValueError('"image", "altcha", the dotted path of a function f(request, data) -> bool, or None')
    return cast("CaptchaCheck", found)


def _budget(value: object) -> Budget:
    if not isinstance(value, Mapping) or not all(
        period in Period.values and _is_amount(amount) for period, amount in value.items()
    ):
        raise ValueError('a dict of yuan, from 0 to 99999999, such as {"day": 50, "month": 1000}')
    return {Period(period): Decimal(str(amount)) for period, amount in value.items()}


def _is_amount(value: object) -> bool:
    """Whether it is an amount of yuan of at most four decimals, as prices have them."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return False
    amount = Decimal(str(value))
    return amount.is_finite() and 0 <= amount < 10**8 and amount == round(amount, 4)


def _alerts(value: object) -> tuple[Secret, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(url, str) and URL.match(url) for url in value):
        raise ValueError('a list of URLs of apprise, such as "dingtalk://…" or "feishu://…"')
    return tuple(map(Secret, value))


def _token(value: object) -> Secret | None:
    if value is None:
        return None
    if not isinstance(value, str) or not TOKEN.fullmatch(value):
        raise ValueError("a text of at least 20 characters among A-Z, a-z, 0-9 and -._~+/=, or None")
    return Secret(value)


def _site_url(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not SITE.fullmatch(value):
        raise ValueError('a scheme and a host, such as "https://www.example.com", or None')
    return value.rstrip("/")


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("True or False")
    return value


def _one_of(*values: str, but: str = "") -> Callable[[object], str]:
    *first, last = (f'"{value}"' for value in values)
    sentence = but or f"{', '.join(first)} or {last}"

    def read(value: object) -> str:
        if value not in values:
            raise ValueError(sentence)
        return str(value)

    return read


def _number_kinds(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(
        kind in ("virtual", "foreign") and action in ("allow", "challenge", "refuse") for kind, action in value.items()
    ):
        raise ValueError('a dict such as {"virtual": "challenge", "foreign": "refuse"}, or with "allow"')
    return dict(value)


def _timeout(value: object) -> tuple[float, float, float]:
    numbers = value if isinstance(value, (list, tuple)) else ()
    if len(numbers) != 3 or any(
        isinstance(n, bool) or not isinstance(n, (int, float)) or not 0 < n <= 120 for n in numbers
    ):
        raise ValueError("three numbers of seconds over 0 and up to 120: connect, read, total")
    return (numbers[0], numbers[1], numbers[2])


def _gateways(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(
        isinstance(alias, str) and isinstance(path, str) for alias, path in value.items()
    ):
        raise ValueError('a dict from alias to dotted path: {"acme": "acme_sms.AcmeGateway"}')
    return {**BUILTIN_GATEWAYS, **value}


def _keys(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or not value or any(not isinstance(k, str) or not k for k in value):
        raise ValueError("a list of secrets, the newest first, or None to derive from SECRET_KEY")
    return tuple(value)


def _private_hosts(value: object) -> PrivateHosts:
    if isinstance(value, bool):
        return value
    if value != "loopback":
        raise ValueError('"loopback", True or False')
    return "loopback"


def _path(value: object) -> str | None:
    if value is None:
        return None
    path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise ValueError("the path of a file, or None")
    return path


def _days(most: int) -> Callable[[object], int | None]:
    def read(value: object) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise ValueError(f"a whole number of days from 1 to {most}, or None")
        return value

    return read


def _same_owner(value: object) -> SameOwner | None:
    try:
        found = import_string(value) if isinstance(value, str) else None
    except Exception:  # the module may raise anything while it is imported
        found = None
    if value is not None and not callable(found):
        raise ValueError("the dotted path of a function f(phone, silent_since) -> bool, or None")
    return cast("SameOwner | None", found)


def _name(value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or not value.isidentifier()):
        raise ValueError('a field of the user model, such as "mobile", or None')
    return value


def _purposes(value: object) -> dict[str, dict[str, Any]]:
    if not isinstance(value, Mapping) or not all(isinstance(own, Mapping) for own in value.values()):
        raise ValueError('a dict of dicts: {"payment": {"CODE_LIFETIME": 120}}')
    return {str(purpose): dict(own) for purpose, own in value.items()}


class Key(Generic[T]):
    """One key of SMSVERIFY: its default as a site would write it, its parser, and the value that replaces an invalid
    one (the default, unless `broken` is safer)."""

    def __init__(
        self,
        default: object,
        read: Callable[[object], T],
        *,
        broken: T | None = None,
        per_purpose: bool = False,
        is_secret: bool = False,
    ) -> None:
        self.default = default
        self.read = read
        self.per_purpose = per_purpose
        self.is_secret = is_secret
        self._fallback = read(default)
        self._broken = self._fallback if broken is None else broken
        self._last: tuple[object, T] = (default, self._fallback)

    def __set_name__(self, owner: type[Settings], name: str) -> None:
        self.name = name

    def __get__(self, instance: Settings, owner: type[Settings]) -> T:
        if self.per_purpose and self.name in (own := instance.overrides()):
            return self._checked(own[self.name])
        source = written()
        return self._checked(source[self.name]) if self.name in source else self._fallback

    def _checked(self, value: object) -> T:
        """What a value means; that which was read last, and cannot have changed since, is not checked again."""
        last, found = self._last
        if value is last and isinstance(value, UNCHANGING):
            return found
        try:
            found = self.read(value)
        except ValueError:
            return self._broken
        self._last = value, found
        return found


class Settings:
    """One typed attribute for each key; with a purpose, its overrides come first."""

    CODE_LENGTH = Key(6, _integer(4, 8), per_purpose=True)
    CODE_LIFETIME = Key(300, _integer(60, 86400), per_purpose=True)
    MAX_ATTEMPTS = Key(5, _integer(1, 100), per_purpose=True)
    RESEND_INTERVAL = Key(60, _integer(0, 86400))
    PHONE_LIMITS = Key(("5/h", "10/d"), _limits)
    GUESS_LIMIT = Key("15/d", _limit)
    IP_LIMITS = Key(("30/h", "200/d"), _limits)
    PREFIX_LIMITS = Key(("60/h",), _limits)
    GLOBAL_LIMITS = Key((), _limits)
    TRUSTED_PROXIES = Key(0, _integer(0, 20))
    CLIENT_IP_HEADER = Key("X-Forwarded-For", _client_ip_header)
    REGIONS = Key(("CN",), _regions)
    CAPTCHA: Key[CaptchaCheck | CaptchaKind | None] = Key(None, _captcha, broken=_refuse, per_purpose=True)
    CAPTCHA_WHEN = Key("risk", _one_of("risk", "always"))
    DISPATCH = Key("inline", _one_of("inline", "tasks", "celery", but='"inline", "tasks" (django.tasks) or "celery"'))
    GUARD = Key("on", _one_of("on", "watch", "off"))
    NUMBER_KINDS = Key({}, _number_kinds)
    ON_CACHE_FAILURE = Key("refuse", _one_of("refuse", "degrade"))
    BUDGET: Key[Budget] = Key({}, _budget, broken={Period.DAY: Decimal(0)}, per_purpose=True)
    REPORT_FAILOVER = Key(True, _boolean, per_purpose=True)
    PROOF_LIFETIME = Key(600, _integer(1, 86400))
    TIMEOUT = Key((3, 5, 10), _timeout)
    RETENTION_DAYS = Key(190, _integer(1, 36500))
    NUMBER_DAYS: Key[int | None] = Key(None, _days(36500))
    GATEWAYS = Key({}, _gateways)
    ALLOW_PRIVATE_HOSTS: Key[PrivateHosts] = Key("loopback", _private_hosts)
    CA_BUNDLE: Key[str | None] = Key(None, _path)
    DELIVERY_CODES: Key[str | None] = Key(None, _path)
    ALLOW_TEST_NUMBERS = Key(False, _boolean)
    USER_PHONE_FIELD: Key[str | None] = Key(None, _name)
    PHONE_FORM = Key("national", _one_of("national", "e164"))
    STALE_PHONE_DAYS: Key[int | None] = Key(None, _days(3650))
    STALE_PHONE_CHECK: Key[SameOwner | None] = Key(None, _same_owner)
    ENCRYPTION_KEYS: Key[tuple[str, ...] | None] = Key(None, _keys, is_secret=True)
    ALERTS: Key[tuple[Secret, ...]] = Key((), _alerts, is_secret=True)
    SITE_URL: Key[str | None] = Key(None, _site_url)
    METRICS_TOKEN: Key[Secret | None] = Key(None, _token, is_secret=True)
    PURPOSES = Key({}, _purposes)

    def __init__(self, purpose: str | None = None) -> None:
        self._purpose = purpose

    def of(self, purpose: str) -> Settings:
        """Returns the settings for one purpose."""
        return Settings(purpose)

    def overrides(self) -> Mapping[str, Any]:
        """Returns the dict of the purpose, which comes before the site's; empty without one."""
        return self.PURPOSES.get(self._purpose, {}) if self._purpose else {}


KEYS: dict[str, Key[Any]] = {name: key for name, key in vars(Settings).items() if isinstance(key, Key)}
conf = Settings()


_written: Mapping[str, Any] | None = None
"""The site's own dict, as it was found last: looking for one that is missing raises an error in Django each time."""


def written() -> Mapping[str, Any]:
    """Returns the site's own dict; empty if it is missing or not a dict (a check reports that)."""
    global _written
    found = _written
    if found is None:
        value = getattr(settings, "SMSVERIFY", {})
        _written = found = value if isinstance(value, Mapping) else {}
    return found


def hide_alerts() -> None:
    """Masks the site's ALERTS in place: Django's pages and mails about errors show settings, and of SMSVERIFY only
    those whose name has KEY or TOKEN in it are hidden there."""
    found = written()
    if isinstance(found, dict) and isinstance(urls := found.get("ALERTS"), (list, tuple)):
        found["ALERTS"] = tuple(Secret(url) if isinstance(url, str) else url for url in urls)


def _forget_written(*, setting: str, **kwargs: Any) -> None:
    global _written
    if setting == "SMSVERIFY":
        _written = None


setting_changed.connect(_forget_written)
