"""The kit for tests of a site: it sends nothing, refuses nothing, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client, TestCase, TransactionTestCase, override_settings

from django_smsverify import testing
from django_smsverify.exceptions import (
    NoRoute,
    PhoneNotSupported,
    PhoneRejected,
    ProofRejected,
    Throttled,
    UnknownPurpose,
)
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.limits.guard import watching
from django_smsverify.models import Message, Provider
from django_smsverify.sending import circuits, send_code, send_message
from django_smsverify.testing import SMSKit, SMSTestMixin, pytest_plugin
from django_smsverify.testing.site import sms_kit
from django_smsverify.verifying import redeem_proof

from . import settings as suite
from .conftest import PHONE, LogRecorder, Site, add_template, cached
from .test_structure import FILES, ROOT
from .tiny_site import TINY_SITE, WITHOUT_DJANGO

sms = pytest_plugin.sms
"""As the entry point brings it, which an environment that was installed before does not have."""

OTHERS = [f"+861390013900{last}" for last in range(10)]
SiteHas = Callable[[Mapping[str, Any]], None]


def post(path: str, **body: Any) -> Any:
    return Client().post(path, body, content_type="application/json")


def send(phone: str = PHONE, purpose: str = "login") -> Any:
    return post("/sms/send/", phone=phone, purpose=purpose)


@pytest.fixture
def site_has(monkeypatch: pytest.MonkeyPatch) -> Iterator[SiteHas]:
    """Gives the site these settings in its file, as far as a test can tell."""
    overrides: list[override_settings] = []

    def have(written: Mapping[str, Any]) -> None:
        monkeypatch.setattr(suite, "SMSVERIFY", written, raising=False)
        overrides.append(override_settings(SMSVERIFY=written))
        overrides[-1].enable()

    yield have
    for override in overrides:
        override.disable()


class Journey(SMSTestMixin):
    """What a site tests, with whatever TestCase; each of its tests could be the first."""

    def setUp(self) -> None:
        super().setUp()
        assert not Provider.objects.exists()

    def test_a_code_verifies(self) -> None:
        sent = send()
        verified = post("/sms/verify/", verification_id=sent.json()["verification_id"], code=self.sms.code)

        assert sent.status_code == 202
        assert redeem_proof(verified.json()["proof"], "login") == PHONE
        assert [(one.phone, one.purpose) for one in self.sms.outbox] == [(PHONE, "login")]

    def test_a_number_is_verified_already(self) -> None:
        proof = self.sms.verified("13800138000", "payment", context={"amount": 5})

        assert redeem_proof(proof, "payment", context={"amount": 5}) == PHONE
        assert self.sms.outbox == []


class TestInTestCase(Journey, TestCase):
    pass


class TestInTransactionTestCase(Journey, TransactionTestCase):
    pass


@override_settings(SMSVERIFY={"RESEND_INTERVAL": 60})
class TestOverriddenClass(SMSTestMixin, TestCase):
    def test_what_the_class_overrides_holds(self) -> None:
        self.sms.send(PHONE)

        with pytest.raises(Throttled):
            self.sms.send(PHONE)


class TestOutbox:
    @pytest.mark.parametrize("purpose", ["login", "reset-password", "nobody_knows_it"])
    def test_any_purpose_can_be_sent(self, sms: SMSKit, purpose: str) -> None:
        sms.send("13800138000", purpose)

        assert (sms.last.phone, sms.last.purpose) == (PHONE, purpose)
        assert sms.last.text == f"【示例站】您的验证码是{sms.code}，5分钟内有效。"
        assert len(sms.code) == 6
        assert not MemoryGateway.outbox

    def test_what_is_no_purpose_is_none_in_a_test_either(self, sms: SMSKit) -> None:
        with pytest.raises(UnknownPurpose):
            sms.send(PHONE, "Log In")

    def test_a_template_of_the_site_is_sent_in_its_own_words(self, sms: SMSKit) -> None:
        provider = Provider.objects.create(name="live", slug="live", gateway="ihuyi")
        add_template(provider, "login", "动态码{code}。", "7")

        sms.send(PHONE)

        assert sms.last.text == f"【示例站】动态码{sms.code}。"
        assert Message.objects.get().provider == provider

    def test_a_notice_has_no_code(self, sms: SMSKit) -> None:
        sms.send(PHONE)
        shipped = sms.template("shipped", "{name}，您的包裹已发出。")

        send_message(shipped, {PHONE: {"name": "王芳"}})

        assert (sms.last.text, sms.last.code) == ("【示例站】王芳，您的包裹已发出。", "")
        assert sms.code == sms.outbox[0].code

    def test_own_words_for_a_code(self, sms: SMSKit) -> None:
        sms.template("login", "Your code: {code}")
        sms.send(PHONE)

        assert sms.last.text == f"【示例站】Your code: {sms.code}"

    def test_an_empty_one_says_what_to_look_at(self, sms: SMSKit) -> None:
        for ask in (lambda: sms.last, lambda: sms.code):
            with pytest.raises(LookupError, match="look at what the request was answered"):
                ask()

    def test_no_code_is_shown_or_logged(self, sms: SMSKit, log: LogRecorder) -> None:
        sms.send(PHONE)

        assert sms.code not in repr(sms.outbox) + log.text


class TestLimits:
    def test_the_defaults_refuse_nothing(self, sms: SMSKit) -> None:
        statuses = {send().status_code for _ in range(11)}

        assert (statuses, len(sms.outbox)) == ({202}, 11)

    def test_workers_captchas_and_limits_of_the_site_are_open(self, db: None, site_has: SiteHas) -> None:
        own = {"CAPTCHA": "image", "BUDGET": {"day": 0}, "CODE_LENGTH": 4}
        strict = {"IP_LIMITS": ["1/d"], "DISPATCH": "tasks", "CAPTCHA": "image", "CAPTCHA_WHEN": "always"}
        site_has({**strict, "PURPOSES": {"login": own}})
        with sms_kit() as kit:
            assert [send().status_code for _ in range(2)] == [202, 202]
            assert len(kit.code) == 4

            kit.limits()

            assert send().json()["code"] == "captcha_required"

    def test_what_a_test_overrides_holds(self, db: None, site_has: SiteHas) -> None:
        site_has({"RESEND_INTERVAL": 30, "PHONE_LIMITS": ["1/d"]})
        with sms_kit() as kit:
            with override_settings(SMSVERIFY={"RESEND_INTERVAL": 60, "PHONE_LIMITS": ["1/d"]}):
                kit.send(PHONE)
                with pytest.raises(Throttled) as refused:
                    kit.send(PHONE)
            kit.send(PHONE)

        assert refused.value.scope == "resend"

    def test_a_test_sets_a_limit(self, sms: SMSKit) -> None:
        sms.limits(PHONE_LIMITS=["1/h"])
        sms.send(PHONE)

        assert send().json()["scope"] == "phone"
        assert send(OTHERS[0]).status_code == 202

    def test_what_is_no_limit_is_refused(self, sms: SMSKit) -> None:
        with pytest.raises(TypeError, match=r"CODE_LENGTH is no limit, as are RESEND_INTERVAL, .* override_settings"):
            sms.limits(CODE_LENGTH=4)
        with pytest.raises(ValueError, match=r"PHONE_LIMITS is 'often'\. Use a list of rates"):
            sms.limits(PHONE_LIMITS="often")

    def test_kinds_of_numbers_are_open_too(self, sms: SMSKit) -> None:
        with override_settings(SMSVERIFY={"NUMBER_KINDS": {"virtual": "refuse"}}), pytest.raises(PhoneNotSupported):
            sms.send("17012345678")

        sms.send("17012345678")


class TestVendor:
    @pytest.mark.parametrize(
        ("reason", "refusal", "status"), [("recipient", PhoneRejected, 400), ("account", NoRoute, 503)]
    )
    def test_it_refuses(self, sms: SMSKit, reason: str, refusal: type[Exception], status: int) -> None:
        sms.refuse(reason)

        assert (send().status_code, sms.outbox) == (status, [])
        with pytest.raises(refusal):
            sms.send(OTHERS[0])

    def test_it_is_down_and_comes_back(self, sms: SMSKit) -> None:
        sms.fail()
        assert (send().status_code, sms.outbox) == (503, [])

        sms.accept()
        assert (send().status_code, len(sms.outbox)) == (202, 1)

    def test_its_answer_is_lost(self, sms: SMSKit) -> None:
        sms.lose_answers()

        verification_id = send().json()["verification_id"]

        assert Client().get(f"/sms/send/{verification_id}/").json()["status"] == "unknown"
        assert post("/sms/verify/", verification_id=verification_id, code=sms.code).status_code == 200

    def test_a_reason_that_does_not_exist_is_refused(self, sms: SMSKit) -> None:
        with pytest.raises(ValueError, match="'mood' is no reason of a refusal, as are account, "):
            sms.refuse("mood")


class TestIsolation:
    """Two kits after another, in one transaction: what the second one finds is not of the database."""

    def test_counters_circuits_and_what_the_guard_knows_are_new(self, db: None) -> None:
        with sms_kit() as first:
            first.limits(IP_LIMITS=["6/d"], GUARD="on")
            send_code(PHONE, "login", ip="203.0.113.7")
            first.fail()
            for phone in OTHERS[:5]:
                with pytest.raises(NoRoute):
                    send_code(phone, "login", ip="203.0.113.7")
            with pytest.raises(Throttled):
                send_code(PHONE, "login", ip="203.0.113.7")
            ways = circuits.ways_of(Provider.objects.get().pk, PHONE)
            assert circuits.find_open(ways)
            assert watching.pace._left

        with sms_kit() as second:
            assert not circuits.find_open(ways)
            assert not watching.pace._left
            second.limits(IP_LIMITS=["1/d"])
            send_code(PHONE, "login", ip="203.0.113.7")
            assert len(second.outbox) == len(first.outbox) == 1

    def test_the_cache_of_the_site_is_left_alone(self, sms: SMSKit) -> None:
        cache.set("own", "kept")
        before = cached()
        sms.limits(IP_LIMITS=["1/d"])

        assert [send().status_code for _ in range(2)] == [202, 429]

        assert cached() == before

    def test_after_it_all_is_as_before(self, db: None) -> None:
        with sms_kit():
            pass

        with pytest.raises(UnknownPurpose):
            send_code(PHONE, "login")

    def test_other_threads_have_the_same(self, site: Site, sms: SMSKit) -> None:
        sent = [site.send(phone).status_code for phone in (PHONE, PHONE, OTHERS[0])]

        assert sent == [202] * 3
        assert [one.phone for one in sms.outbox] == [PHONE, PHONE, OTHERS[0]]

    def test_a_proof_is_redeemed_once(self, sms: SMSKit) -> None:
        proof = sms.verified(PHONE)
        redeem_proof(proof, "login")

        with pytest.raises(ProofRejected):
            redeem_proof(proof, "login")

    def test_outside_of_tests_it_refuses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(mail, "outbox")

        with pytest.raises(RuntimeError, match="for tests only"), sms_kit():
            pass


class TestPackage:
    @pytest.mark.parametrize("name", testing.HOMES)
    def test_a_public_name_is_that_of_its_module(self, name: str) -> None:
        assert getattr(testing, name).__module__ == f"django_smsverify.testing.{testing.HOMES[name]}"

    def test_an_unknown_name_raises_an_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="has no attribute 'SMSTestCase'"):
            testing.SMSTestCase  # noqa: B018

    def test_the_entry_point_leads_to_the_plugin(self) -> None:
        project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]

        assert import_module(project["entry-points"]["pytest11"]["smsverify"]) is pytest_plugin

    def test_nothing_but_the_kit_knows_the_kit(self) -> None:
        others = [path for path in FILES if "testing" not in path.relative_to(ROOT).parts[0]]

        assert [path for path in others if "django_smsverify.testing" in path.read_text()] == []

    @pytest.mark.slow
    def test_a_site_with_nothing_but_the_plugin(self, tmp_path: Path) -> None:
        for name, text in TINY_SITE.items():
            (tmp_path / name).write_text(text)

        assert "11 passed" in run_pytest(tmp_path, "-p", "pytest_django.plugin", "--ds", "tiny_settings")

    @pytest.mark.slow
    def test_a_project_without_django_has_the_plugin_too(self, tmp_path: Path) -> None:
        (tmp_path / "test_other.py").write_text(WITHOUT_DJANGO)

        assert "1 passed" in run_pytest(tmp_path)


def run_pytest(folder: Path, *arguments: str) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{folder}:{ROOT.parent}",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "django_smsverify.testing.pytest_plugin"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", *arguments, "."],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
