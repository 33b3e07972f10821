"""The settings dict: defaults, live reading, overrides for a purpose, and what replaces a bad value."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import override_settings

from django_smsverify.conf import BUILTIN_GATEWAYS, KEYS, Limit, conf
from tests.folding import folded

HOUR, DAY = 3600, 86400


def same_owner(phone: str, silent_since: datetime) -> bool:
    return False


DEFAULTS: dict[str, Any] = {
    "CODE_LENGTH": 6,
    "CODE_LIFETIME": 300,
    "MAX_ATTEMPTS": 5,
    "RESEND_INTERVAL": 60,
    "PHONE_LIMITS": ((5, HOUR), (10, DAY)),
    "GUESS_LIMIT": (15, DAY),
    "IP_LIMITS": ((30, HOUR), (200, DAY)),
    "PREFIX_LIMITS": ((60, HOUR),),
    "GLOBAL_LIMITS": (),
    "TRUSTED_PROXIES": 0,
    "CLIENT_IP_HEADER": "X-Forwarded-For",
    "REGIONS": ("CN",),
    "CAPTCHA": None,
    "CAPTCHA_WHEN": "risk",
    "DISPATCH": "inline",
    "BUDGET": {},
    "GUARD": "on",
    "NUMBER_KINDS": {},
    "ON_CACHE_FAILURE": "refuse",
    "REPORT_FAILOVER": True,
    "PROOF_LIFETIME": 600,
    "TIMEOUT": (3, 5, 10),
    "RETENTION_DAYS": 190,
    "NUMBER_DAYS": None,
    "GATEWAYS": BUILTIN_GATEWAYS,
    "ALLOW_PRIVATE_HOSTS": "loopback",
    "CA_BUNDLE": None,
    "DELIVERY_CODES": None,
    "ALLOW_TEST_NUMBERS": False,
    "USER_PHONE_FIELD": None,
    "PHONE_FORM": "national",
    "STALE_PHONE_DAYS": None,
    "STALE_PHONE_CHECK": None,
    "ENCRYPTION_KEYS": None,
    "ALERTS": (),
    "SITE_URL": None,
    "METRICS_TOKEN": None,
    "PURPOSES": {},
}
GOOD: dict[str, tuple[Any, Any]] = {
    "CODE_LENGTH": (8, 8),
    "CODE_LIFETIME": (120, 120),
    "MAX_ATTEMPTS": (1, 1),
    "RESEND_INTERVAL": (0, 0),
    "PHONE_LIMITS": (["1/10m"], ((1, 600),)),
    "GUESS_LIMIT": ("3/s", (3, 1)),
    "IP_LIMITS": ((), ()),
    "PREFIX_LIMITS": (("1/m", "2/h"), ((1, 60), (2, HOUR))),
    "GLOBAL_LIMITS": (("1000/d",), ((1000, DAY),)),
    "TRUSTED_PROXIES": (2, 2),
    "CLIENT_IP_HEADER": ("X-Real-IP", "X-Real-IP"),
    "REGIONS": (["HK", "CN"], ("HK", "CN")),
    "CAPTCHA": ("altcha", "altcha"),
    "CAPTCHA_WHEN": ("always", "always"),
    "DISPATCH": ("celery", "celery"),
    "GUARD": ("watch", "watch"),
    "NUMBER_KINDS": ({"virtual": "challenge"}, {"virtual": "challenge"}),
    "ON_CACHE_FAILURE": ("degrade", "degrade"),
    "REPORT_FAILOVER": (False, False),
    "PROOF_LIFETIME": (1, 1),
    "TIMEOUT": ([0.5, 1, 120], (0.5, 1, 120)),
    "RETENTION_DAYS": (30, 30),
    "NUMBER_DAYS": (30, 30),
    "GATEWAYS": ({"acme": "acme.Gateway"}, {**BUILTIN_GATEWAYS, "acme": "acme.Gateway"}),
    "BUDGET": ({"day": 49.5, "month": 1000}, {"day": Decimal("49.5"), "month": Decimal(1000)}),
    "ALLOW_PRIVATE_HOSTS": (False, False),
    "CA_BUNDLE": (Path("/etc/ssl/company.pem"), "/etc/ssl/company.pem"),
    "DELIVERY_CODES": (Path("/srv/site/codes.csv"), "/srv/site/codes.csv"),
    "ALLOW_TEST_NUMBERS": (True, True),
    "USER_PHONE_FIELD": ("mobile", "mobile"),
    "PHONE_FORM": ("e164", "e164"),
    "STALE_PHONE_DAYS": (60, 60),
    "STALE_PHONE_CHECK": ("tests.test_conf.same_owner", same_owner),
    "ENCRYPTION_KEYS": (["new", "old"], ("new", "old")),
    "ALERTS": (["dingtalk://token", "json://127.0.0.1:9/"], ("dingtalk://token", "json://127.0.0.1:9/")),
    "SITE_URL": ("https://www.example.com:8443/", "https://www.example.com:8443"),
    "METRICS_TOKEN": ("abcdefghijklmnopqrst", "abcdefghijklmnopqrst"),
    "PURPOSES": ({"payment": {"MAX_ATTEMPTS": 3}}, {"payment": {"MAX_ATTEMPTS": 3}}),
}
BAD: dict[str, list[Any]] = {
    "CODE_LENGTH": [3, 9, "6", 6.0, True, None],
    "CODE_LIFETIME": [59, 0, -1, "300", None],
    "MAX_ATTEMPTS": [0, 101, False, "5"],
    "RESEND_INTERVAL": [-1, "60", None],
    "PHONE_LIMITS": ["5/h", ("5 per hour",), (5,), None, {"5/h"}],
    "GUESS_LIMIT": ["0/d", "20/w", "20", 20, "", None, ("20/d",)],
    "IP_LIMITS": ["30/h", ("30/h", "x"), 30],
    "PREFIX_LIMITS": ["60/h", (None,)],
    "GLOBAL_LIMITS": [None, "1/d", ("-1/d",)],
    "TRUSTED_PROXIES": [-1, 21, True, "1"],
    "CLIENT_IP_HEADER": ["x-real-ip", "HTTP_X_REAL_IP", "Forwarded", "", None, ["X-Real-IP"]],
    "REGIONS": ["CN", (), ("XX",), ("cn",), ("CN", None), ([],), None],
    "CAPTCHA": [
        "",
        "captcha",
        "IMAGE",
        "Altcha",
        "no.such.module.check",
        "tests.test_conf.MISSING",
        ".captcha.check",
        ".x",
        5,
        all,
    ],
    "CAPTCHA_WHEN": ["", "RISK", "never", None, True, ["risk"]],
    "DISPATCH": ["queue", "INLINE", ["celery"], None],
    "BUDGET": [
        *[None, [], 50, "50", {"week": 5}, {"day": "50"}, {"day": -1}, {"day": None}, {"day": True}, {"month": 10**8}],
        *[{"day": 0.00001}, {"day": float("nan")}, {"day": float("inf")}, {"day": Decimal("NaN")}, {1: 5}, {"day": []}],
    ],
    "GUARD": [True, None, "", "ON", ["on"]],
    "NUMBER_KINDS": [None, [], "virtual", {"virtual": "block"}, {"landline": "allow"}, {"virtual": None}, {1: "allow"}],
    "ON_CACHE_FAILURE": ["open", None, False],
    "REPORT_FAILOVER": [None, 0, 1, "yes", "True"],
    "PROOF_LIFETIME": [0, -600, "600"],
    "TIMEOUT": [5, (3, 5), (3, 5, 0), (3, 5, 121), (3, "5", 10), (True, 5, 10), (3, 5, float("nan"))],
    "RETENTION_DAYS": [0, "190", None],
    "NUMBER_DAYS": [0, -1, 36501, "30", 1.5, True],
    "GATEWAYS": [[], "acme.Gateway", {"acme": object}, {1: "acme.Gateway"}, None],
    "ALLOW_PRIVATE_HOSTS": ["", "True", "all", "LOOPBACK", 0, 1, None, ["loopback"], ("127.0.0.1",)],
    "CA_BUNDLE": ["", False, True, 5, b"/etc/ssl/company.pem", ["/etc/ssl/company.pem"], "a\0b"],
    "DELIVERY_CODES": ["", False, True, 5, ["codes.csv"], "a\0b"],
    "USER_PHONE_FIELD": [1, "", "a b", "user-name", ["mobile"]],
    "PHONE_FORM": [None, "", "E164", 11],
    "STALE_PHONE_DAYS": [0, -1, 3651, "90", 1.5, True],
    "STALE_PHONE_CHECK": ["nowhere.at_all", "tests", 1, "", "django_smsverify.conf.KEYS"],
    "ALLOW_TEST_NUMBERS": [None, 0, 1, "", "no", "True", [], ["13800138000"]],
    "ENCRYPTION_KEYS": ["one-secret-text", [], [""], [b"bytes"], ["ok", None]],
    "ALERTS": [None, "dingtalk://token", [None], ["token"], ["://token"], {"dingtalk://token"}],
    "SITE_URL": ["www.example.com", "ftp://example.com", "https://", "https://example.com/admin", 5, ["https://a.cn"]],
    "METRICS_TOKEN": ["", "too-short", "a token with several words", 5, b"abcdefghijklmnopqrst", ["a" * 20]],
    "PURPOSES": [[], "payment", {"payment": 120}, None],
}
PER_PURPOSE = ("BUDGET", "CAPTCHA", "CODE_LENGTH", "CODE_LIFETIME", "MAX_ATTEMPTS", "REPORT_FAILOVER")


def closed(request: HttpRequest, data: object) -> bool:
    return False


def pairs(table: dict[str, list[Any]]) -> list[Any]:
    return [pytest.param(key, value, id=f"{key}={value!r}") for key, values in table.items() for value in values]


def test_the_tables_of_this_file_have_every_key() -> None:
    assert set(KEYS) == set(DEFAULTS) == set(BAD)


@folded("key, expected", DEFAULTS.items())
def test_a_key_that_is_not_set_has_its_default(key: str, expected: Any) -> None:
    assert getattr(conf, key) == expected


@folded("key, written, expected", [(key, *pair) for key, pair in GOOD.items()])
def test_a_value_is_read_while_it_is_set(key: str, written: Any, expected: Any) -> None:
    with override_settings(SMSVERIFY={key: written}):
        assert getattr(conf, key) == expected

    assert getattr(conf, key) == DEFAULTS[key] != expected


@folded("key, value", pairs({key: bad for key, bad in BAD.items() if key not in ("BUDGET", "CAPTCHA")}))
def test_a_bad_value_leaves_the_default_in_force(key: str, value: Any) -> None:
    with override_settings(SMSVERIFY={key: value}):
        assert getattr(conf, key) == DEFAULTS[key]


@pytest.mark.parametrize("value", BAD["BUDGET"])
def test_a_bad_budget_allows_nothing(value: Any) -> None:
    with override_settings(SMSVERIFY={"BUDGET": value}):
        assert conf.BUDGET == {"day": 0}


@pytest.mark.parametrize("path", BAD["CAPTCHA"])
def test_a_captcha_that_cannot_be_imported_refuses_every_request(path: Any) -> None:
    with override_settings(SMSVERIFY={"CAPTCHA": path}):
        check = conf.CAPTCHA

    assert callable(check)
    assert check(HttpRequest(), {"captcha": "solved"}) is False


def test_a_captcha_is_imported_by_its_path() -> None:
    with override_settings(SMSVERIFY={"CAPTCHA": f"{__name__}.closed"}):
        assert conf.CAPTCHA is closed


@pytest.mark.parametrize("value", [None, [], "CODE_LENGTH", 5])
def test_settings_that_are_no_dict_leave_all_defaults_in_force(value: Any) -> None:
    with override_settings(SMSVERIFY=value):
        assert {key: getattr(conf, key) for key in KEYS} == DEFAULTS


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        ("1/s", Limit(1, 1)),
        ("5/m", Limit(5, 60)),
        ("5/h", Limit(5, 3600)),
        ("20/d", Limit(20, 86400)),
        ("1/10m", Limit(1, 600)),
        ("3/2d", Limit(3, 172800)),
        ("999999999/99999d", Limit(999999999, 99999 * 86400)),
    ],
)
def test_a_rate_is_a_count_and_a_period(rate: str, expected: Limit) -> None:
    with override_settings(SMSVERIFY={"GUESS_LIMIT": rate}):
        found = conf.GUESS_LIMIT

    assert found == expected


@folded(
    "rate", ["0/h", "01/h", "5/0h", "5/H", "5/ h", " 5/h", "5/h\n", "5h", "5/", "/h", "5/1.5h", "-5/h", "５/h", "5/w"]
)
def test_any_other_text_is_no_rate(rate: str) -> None:
    with override_settings(SMSVERIFY={"GUESS_LIMIT": rate}):
        found = conf.GUESS_LIMIT

    assert found == DEFAULTS["GUESS_LIMIT"]


def test_these_keys_can_be_overridden_for_a_purpose() -> None:
    assert sorted(name for name, key in KEYS.items() if key.per_purpose) == list(PER_PURPOSE)


@pytest.mark.parametrize(
    ("key", "general", "own"), [("CODE_LENGTH", 4, 8), ("CODE_LIFETIME", 200, 120), ("MAX_ATTEMPTS", 6, 3)]
)
def test_a_purpose_has_its_own_value_and_the_others_the_general_one(key: str, general: int, own: int) -> None:
    with override_settings(SMSVERIFY={key: general, "PURPOSES": {"payment": {key: own}}}):
        found = [getattr(settings, key) for settings in (conf.of("payment"), conf.of("login"), conf)]

    assert found == [own, general, general]


def test_a_purpose_can_disable_the_captcha() -> None:
    path = f"{__name__}.closed"
    with override_settings(SMSVERIFY={"CAPTCHA": path, "PURPOSES": {"payment": {"CAPTCHA": None}}}):
        found = [conf.of(purpose).CAPTCHA for purpose in ("payment", "login")]

    assert found == [None, closed]


def test_a_limit_that_stands_twice_counts_once() -> None:
    with override_settings(SMSVERIFY={"IP_LIMITS": ("30/h", "200/d", "30/60m")}):
        assert (Limit(30, 3600), Limit(200, 86400)) == conf.IP_LIMITS


def test_a_key_without_overrides_is_not_read_from_a_purpose() -> None:
    with override_settings(SMSVERIFY={"PURPOSES": {"payment": {"RESEND_INTERVAL": 1}}}):
        found = conf.of("payment").RESEND_INTERVAL

    assert found == DEFAULTS["RESEND_INTERVAL"]


def test_a_bad_override_leaves_the_default_in_force() -> None:
    with override_settings(SMSVERIFY={"CODE_LENGTH": 8, "PURPOSES": {"payment": {"CODE_LENGTH": 99}}}):
        assert (conf.of("payment").CODE_LENGTH, conf.of("login").CODE_LENGTH) == (6, 8)


def test_a_list_that_is_changed_in_place_is_read_again() -> None:
    limits = ["5/h"]
    with override_settings(SMSVERIFY={"PHONE_LIMITS": limits}):
        assert (Limit(5, HOUR),) == conf.PHONE_LIMITS
        limits[0] = "1/h"

        assert (Limit(1, HOUR),) == conf.PHONE_LIMITS


def test_an_immutable_value_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []
    key, check = KEYS["PHONE_LIMITS"], KEYS["PHONE_LIMITS"].read

    def recorded(value: object) -> Any:
        read.append(value)
        return check(value)

    monkeypatch.setattr(key, "read", recorded)
    with override_settings(SMSVERIFY={"PHONE_LIMITS": ("7/h",)}):
        assert {conf.PHONE_LIMITS for _ in range(5)} == {(Limit(7, HOUR),)}

    assert read == [("7/h",)]
