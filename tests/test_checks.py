"""System checks, as `manage.py check` runs them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.checks import CheckMessage, Tags, run_checks
from django.core.checks.registry import registry
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings

from django_smsverify.carriers.delivery_codes import PUBLISHED
from django_smsverify.conf import conf
from django_smsverify.enums import Submission
from django_smsverify.gateways.parsing import json_object
from django_smsverify.gateways.topthink import TopThinkGateway
from django_smsverify.models.gateway_classes import gateway_class
from django_smsverify.types import Answer
from tests.acme_sms import AcmeGateway
from tests.folding import folded

from .conftest import MakeProvider
from .gateways.certificates import Authority
from .test_conf import BAD, PER_PURPOSE, pairs

pytestmark = pytest.mark.django_db  # newer Djangos query the database in their own checks
BACKENDS = "django.core.cache.backends"
LOCMEM = {"BACKEND": f"{BACKENDS}.locmem.LocMemCache"}
SHARED = {"BACKEND": "tests.caches.SharedCache"}


OURS = [check for check in registry.get_checks(include_deployment_checks=True) if "smsverify" in check.__module__]
TAGS = {tag for check in OURS for tag in check.tags}
"""Those of the app's checks: others, such as those of all models, take long."""


def found(*, deploy: bool = False, databases: list[str] | None = None) -> list[CheckMessage]:
    # Django 6.1 takes the tag for the wish to have all databases checked.
    tags = sorted(TAGS if databases else TAGS - {Tags.database})
    messages = run_checks(tags=tags, include_deployment_checks=deploy, databases=databases)
    ours = [message for message in messages if str(message.id).startswith("smsverify.")]
    return sorted(ours, key=lambda message: str(message.id))  # Django runs checks in the order of a set


def ids(**options: Any) -> list[str]:
    return [str(message.id) for message in found(**options)]


def error_of_the_command() -> str:
    """The error text of `manage.py check`."""
    with pytest.raises(SystemCheckError) as caught:
        call_command("check", stdout=io.StringIO(), stderr=io.StringIO())
    return str(caught.value)


def test_a_site_without_settings_has_no_issues() -> None:
    out = io.StringIO()

    call_command("check", stdout=out)

    assert out.getvalue() == "System check identified no issues (0 silenced).\n"
    assert found() == []


@pytest.mark.parametrize("value", [None, [], "CODE_LENGTH", 5])
def test_e001_settings_that_are_no_dict(value: Any) -> None:
    with override_settings(SMSVERIFY=value):
        assert "(smsverify.E001) SMSVERIFY must be a dict." in error_of_the_command()
        assert ids() == ["smsverify.E001"]


@pytest.mark.parametrize(
    ("written", "where", "hint"),
    [
        ({"CODE_LENGHT": 6}, 'SMSVERIFY has an unknown key "CODE_LENGHT"', "Did you mean CODE_LENGTH?"),
        ({"zzz": 6}, 'SMSVERIFY has an unknown key "zzz"', "The keys are: CODE_LENGTH,"),
        ({5: 6}, 'SMSVERIFY has an unknown key "5"', "The keys are: CODE_LENGTH,"),
        (
            {"PURPOSES": {"payment": {"RESEND_INTERVAL": 1}}},
            'SMSVERIFY["PURPOSES"]["payment"] has an unknown key "RESEND_INTERVAL"',
            "The keys are: CODE_LENGTH, CODE_LIFETIME, MAX_ATTEMPTS, CAPTCHA, BUDGET, REPORT_FAILOVER.",
        ),
    ],
)
def test_e002_an_unknown_key_is_named_with_a_suggestion(written: Any, where: str, hint: str) -> None:
    with override_settings(SMSVERIFY=written):
        (message,) = found()

    assert message.id == "smsverify.E002"
    assert where in message.msg
    assert str(message.hint).startswith(hint)


@folded("key, value", pairs(BAD))
def test_e003_a_bad_value_is_named_with_its_key_and_what_it_must_be(key: str, value: Any) -> None:
    with override_settings(SMSVERIFY={key: value}):
        (message,) = found()

    assert message.id == "smsverify.E003"
    named, _, must_be = message.msg.partition("; it must be ")
    assert named.startswith(f'SMSVERIFY["{key}"] is ')
    known = ("a ", "three ", "the path ", "the dotted path ", "True ", '"')
    assert must_be.startswith(known)


@pytest.mark.parametrize("key", PER_PURPOSE)
def test_e003_a_bad_override_is_named_with_its_purpose(key: str) -> None:
    with override_settings(SMSVERIFY={"PURPOSES": {"payment": {key: "nonsense"}}}):
        (message,) = found()

    assert message.id == "smsverify.E003"
    assert message.msg.startswith(f'SMSVERIFY["PURPOSES"]["payment"]["{key}"] is \'nonsense\'; it must be ')


@pytest.mark.parametrize("keys", ["T0P-SECRET", {"T0P-SECRET": 1}, ["T0P-SECRET", 5], [b"T0P-SECRET"]])
def test_encryption_keys_are_never_printed(keys: Any) -> None:
    with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": keys}):
        output = error_of_the_command()

    assert 'SMSVERIFY["ENCRYPTION_KEYS"] is a value; it must be a list of secrets' in output
    assert "T0P" not in output


def test_every_bad_value_is_reported_at_once() -> None:
    with override_settings(SMSVERIFY={"CODE_LENGTH": 3, "MAX_ATTEMPTS": 0, "NONSENSE": 1}):
        output = error_of_the_command()

    assert all(name in output for name in ("CODE_LENGTH", "MAX_ATTEMPTS", "NONSENSE"))


@pytest.mark.parametrize(
    "path",
    [
        "no.such.Gateway",
        "tests.breaks_on_import.Gateway",
        "",
        "nodots",
        ".relative.Gateway",
        ".Gateway",
        "tests.test_checks.NOTHING",
    ],
)
def test_e004_a_gateway_that_cannot_be_imported(path: str) -> None:
    with override_settings(SMSVERIFY={"GATEWAYS": {"acme": path}}):
        output = error_of_the_command()
        assert ids() == ["smsverify.E004"]

    assert f'(smsverify.E004) The gateway "acme" cannot be imported from "{path}"' in output


@pytest.mark.parametrize("path", ["decimal.Decimal", "tests.test_checks.ids", "tests.test_checks.LOCMEM"])
def test_e004_an_object_that_is_no_gateway(path: str) -> None:
    with override_settings(SMSVERIFY={"GATEWAYS": {"acme": path}}):
        (message,) = found()

    assert (message.id, message.msg) == (
        "smsverify.E004",
        f'"{path}" of the gateway "acme" is not a subclass of Gateway.',
    )


class HalfGateway(AcmeGateway):
    """Builds a query for the balance, and cannot read the answer."""

    def build_balance(self) -> requests.Request:
        return requests.Request("GET", self.url("/balance"))


def test_e012_a_gateway_that_lacks_a_method() -> None:
    with override_settings(SMSVERIFY={"GATEWAYS": {"acme": "tests.test_checks.HalfGateway"}}):
        (message,) = found()

    assert (message.id, message.msg) == ("smsverify.E012", 'The gateway "acme" has no parse_balance.')


class DeletingGateway(AcmeGateway):
    """Deletes templates, and resubmits none."""

    deletes = frozenset({Submission.TEMPLATE})

    def build_delete(self, submission: Submission, remote_id: str) -> requests.Request:
        return requests.Request("DELETE", self.url(f"/templates/{remote_id}"))

    def parse_done(self, answer: Answer) -> None:
        json_object(answer)


def test_what_reads_two_kinds_of_answers_asks_for_neither() -> None:
    assert DeletingGateway.missing_methods() == []


def test_the_gateways_of_this_app_lack_nothing() -> None:
    assert [alias for alias in conf.GATEWAYS if gateway_class(alias).missing_methods()] == []


def test_a_gateway_of_the_site_is_accepted() -> None:
    path = f"{TopThinkGateway.__module__}.{TopThinkGateway.__name__}"
    with override_settings(SMSVERIFY={"GATEWAYS": {"acme": path}}):
        assert found() == []


def test_e005_a_cache_that_does_not_exist() -> None:
    with override_settings(RATELIMIT_USE_CACHE="nowhere"):
        (message,) = found()

    assert message.id == "smsverify.E005"
    assert '"nowhere"' in message.msg
    assert "RATELIMIT_USE_CACHE" in str(message.hint)


def test_e006_a_cache_that_stores_nothing() -> None:
    with override_settings(CACHES={"default": {"BACKEND": f"{BACKENDS}.dummy.DummyCache"}}):
        (message,) = found()

    assert message.id == "smsverify.E006"
    assert "Redis or Memcached" in str(message.hint)


@pytest.fixture(params=["db.DatabaseCache", "filebased.FileBasedCache"])
def miscounting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Gives the site a cache that does not count atomically; returns its name."""
    cache = {"BACKEND": f"{BACKENDS}.{request.param}", "LOCATION": str(tmp_path)}
    with override_settings(CACHES={"default": cache}, SMSVERIFY={"TRUSTED_PROXIES": 0}):
        yield request.param.rpartition(".")[2]


def test_w005_a_cache_that_does_not_count_atomically(miscounting: str) -> None:
    (message,) = found()

    assert message.id == "smsverify.W005"
    assert miscounting in message.msg


def test_e007_it_is_an_error_in_a_deployment(miscounting: str) -> None:
    error, warning = found(deploy=True)

    assert (error.id, warning.id) == ("smsverify.E007", "smsverify.W005")
    assert (error.msg, error.hint) == (warning.msg, warning.hint)


@pytest.mark.parametrize(("command", "options"), [("check", {}), ("migrate", {"skip_checks": False})])
def test_w005_stops_no_command(command: str, options: dict[str, Any], miscounting: str) -> None:
    err = io.StringIO()

    call_command(command, stdout=io.StringIO(), stderr=err, **options)

    assert "(smsverify.W005)" in err.getvalue()


def test_only_the_cache_of_the_limits_is_checked(tmp_path: Path) -> None:
    unfit = {"BACKEND": f"{BACKENDS}.filebased.FileBasedCache", "LOCATION": str(tmp_path)}
    with override_settings(CACHES={"default": unfit, "limits": LOCMEM}, RATELIMIT_USE_CACHE="limits"):
        assert found() == []
    with override_settings(CACHES={"default": LOCMEM, "limits": unfit}, RATELIMIT_USE_CACHE="limits"):
        assert ids() == ["smsverify.W005"]


@pytest.mark.parametrize(
    ("written", "where"),
    [
        ({"CODE_LIFETIME": 601}, "CODE_LIFETIME is 601 seconds."),
        ({"PURPOSES": {"payment": {"CODE_LIFETIME": 900}}}, 'CODE_LIFETIME for purpose "payment" is 900 seconds.'),
    ],
)
def test_w001_a_code_that_lives_too_long(written: Any, where: str) -> None:
    with override_settings(SMSVERIFY=written):
        (message,) = found()

    assert (message.id, message.msg) == ("smsverify.W001", where)


def test_a_code_may_live_for_ten_minutes() -> None:
    with override_settings(SMSVERIFY={"CODE_LIFETIME": 600}):
        assert found() == []


@pytest.mark.parametrize("written", [{}, {"CODE_LENGTH": 6}])
def test_w002_and_w003_a_deployment_with_default_settings(written: Any) -> None:
    with override_settings(SMSVERIFY=written):
        assert ids(deploy=True) == ["smsverify.W002", "smsverify.W003"]


@pytest.mark.parametrize("content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nx\n", "folder"])
def test_e009_a_ca_bundle_that_cannot_be_used(content: str | None, tmp_path: Path) -> None:
    path = tmp_path if content == "folder" else tmp_path / "company.pem"
    if content is not None and path != tmp_path:
        path.write_text(content)

    with override_settings(SMSVERIFY={"CA_BUNDLE": path}):
        (message,) = found()

    assert message.id == "smsverify.E009"
    assert f'SMSVERIFY["CA_BUNDLE"] is {str(path)!r}, which cannot be used' in message.msg


def test_no_e009_for_a_bundle_with_an_authority(tmp_path: Path) -> None:
    with override_settings(SMSVERIFY={"CA_BUNDLE": Authority(tmp_path).path}):
        assert found() == []


@pytest.mark.parametrize("content", [None, "", "code\nE1\n", "folder"])
def test_e013_delivery_codes_that_cannot_be_used(content: str | None, tmp_path: Path) -> None:
    path = tmp_path if content == "folder" else tmp_path / "codes.csv"
    if content is not None and path != tmp_path:
        path.write_text(content)

    with override_settings(SMSVERIFY={"DELIVERY_CODES": path}):
        (message,) = found()

    assert message.id == "smsverify.E013"
    assert f'SMSVERIFY["DELIVERY_CODES"] is {str(path)!r}, which cannot be used' in message.msg


def test_no_e013_for_a_table_like_ours() -> None:
    with override_settings(SMSVERIFY={"DELIVERY_CODES": PUBLISHED}):
        assert found() == []


@pytest.mark.parametrize("proxies", [0, 1])
def test_a_deployment_with_a_shared_cache_and_known_proxies_is_clean(proxies: int) -> None:
    with override_settings(CACHES={"default": SHARED}, SMSVERIFY={"TRUSTED_PROXIES": proxies}):
        assert found(deploy=True) == []


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}, "SECURE_PROXY_SSL_HEADER"),
        ({"USE_X_FORWARDED_HOST": True}, "USE_X_FORWARDED_HOST"),
        ({"USE_X_FORWARDED_PORT": True}, "USE_X_FORWARDED_PORT"),
        ({"SMSVERIFY": {"CLIENT_IP_HEADER": "X-Real-IP"}}, 'SMSVERIFY["CLIENT_IP_HEADER"]'),
    ],
)
def test_w003_no_trusted_proxy_though_other_settings_name_one(setting: dict[str, Any], named: str) -> None:
    own = setting.get("SMSVERIFY", {})
    for proxies, warned in ((0, True), (1, False)):
        with override_settings(**{**setting, "SMSVERIFY": {**own, "TRUSTED_PROXIES": proxies}}):
            output = [message.msg for message in found(deploy=True) if message.id == "smsverify.W003"]

        assert [f"is 0, but {named} speaks of a proxy" in words for words in output] == [True] * warned


@pytest.mark.parametrize(
    ("written", "warned"),
    [
        ({}, False),
        ({"RETENTION_DAYS": 190}, False),
        ({"RETENTION_DAYS": 184}, False),
        ({"RETENTION_DAYS": 183}, True),
        ({"RETENTION_DAYS": 30, "REGIONS": ("HK", "CN")}, True),
        ({"RETENTION_DAYS": 30, "REGIONS": ("HK", "MO")}, False),
    ],
)
def test_w010_records_must_be_kept_for_six_months_in_china(written: dict[str, Any], warned: bool) -> None:
    with override_settings(SMSVERIFY=written):
        output = [message for message in found(deploy=True) if message.id == "smsverify.W010"]
        assert "smsverify.W010" not in ids()

    assert bool(output) is warned
    for message in output:
        assert f'SMSVERIFY["RETENTION_DAYS"] is {written["RETENTION_DAYS"]}' in message.msg
        assert "art. 23" in message.msg
        assert "184" in message.msg
        assert "184" in str(message.hint)


@pytest.mark.parametrize(
    ("written", "is_wrong"),
    [
        ({}, False),
        ({"NUMBER_DAYS": 30}, False),
        ({"NUMBER_DAYS": 190}, False),
        ({"NUMBER_DAYS": 191}, True),
        ({"NUMBER_DAYS": 200, "RETENTION_DAYS": 200}, False),
        ({"NUMBER_DAYS": 200, "RETENTION_DAYS": 199}, True),
    ],
)
def test_e020_a_number_is_not_kept_longer_than_its_records(written: dict[str, Any], is_wrong: bool) -> None:
    with override_settings(SMSVERIFY=written):
        output = [message for message in found() if message.id == "smsverify.E023"]

    assert bool(output) is is_wrong
    for message in output:
        assert f'SMSVERIFY["NUMBER_DAYS"] is {written["NUMBER_DAYS"]}' in message.msg


@override_settings(
    MAILERS={"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}}
)  # Django's own mail check is not tested here
def test_the_command_shows_w002_and_w003_only_for_a_deployment() -> None:
    err = io.StringIO()

    call_command("check", deploy=True, stdout=io.StringIO(), stderr=err)

    assert '(smsverify.W002) The throttle\'s cache "default" is local memory' in err.getvalue()
    assert '(smsverify.W003) SMSVERIFY["TRUSTED_PROXIES"] is not set' in err.getvalue()


@pytest.mark.parametrize("gateway", ["console", "memory"])
def test_w004_an_active_provider_that_sends_nothing(gateway: str, memory: MakeProvider) -> None:
    provider = memory(slug="fake")
    type(provider).objects.update(gateway=gateway)

    (message,) = (m for m in found(deploy=True, databases=["default"]) if m.id == "smsverify.W004")

    assert '"fake"' in message.msg


@pytest.mark.parametrize("fields", [{"is_active": False}, {"gateway": "topthink"}, {"gateway": "gone"}])
def test_no_w004_for_a_provider_that_sends_or_is_inactive(fields: dict[str, Any], memory: MakeProvider) -> None:
    provider = memory()
    type(provider).objects.update(**fields)

    assert "smsverify.W004" not in ids(deploy=True, databases=["default"])


def test_no_database_is_queried_unless_the_command_names_it(memory: MakeProvider) -> None:
    memory()

    assert "smsverify.W004" not in ids(deploy=True)
