"""For tests of a site: any purpose can be sent, to an outbox, without a provider, a vendor or a limit."""

from __future__ import annotations

import unittest
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any
from unittest import mock
from uuid import uuid4

from django.core import mail
from django.core.cache.backends.locmem import LocMemCache

from django_smsverify import conf, texts
from django_smsverify.enums import Reason, ReviewStatus
from django_smsverify.exceptions import GatewayRejected, GatewayUnavailable, GatewayUncertain
from django_smsverify.gateways.base import Outcome
from django_smsverify.gateways.local import KeptSMS
from django_smsverify.gateways.parsing import full_text
from django_smsverify.limits import cache, flood
from django_smsverify.masked import PerNumber
from django_smsverify.models import Provider, Signature, Template, Verification
from django_smsverify.numbers.test_numbers import right_code
from django_smsverify.sending import route_cache, send_code, single, vendor_call
from django_smsverify.sending.content import outgoing
from django_smsverify.types import Acceptance, OutgoingSMS
from django_smsverify.verifying import make_proof, verify_code

from .memory import forget
from .open_settings import OpenSettings

SLUG = "smsverify-tests"
SIGNATURE = "示例站"
CONTENT = "您的验证码是{code}，{minutes}分钟内有效。"
STORE: dict[str, Any] = {"OPTIONS": {"MAX_ENTRIES": 1_000_000}}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxSMS(KeptSMS):
    """One SMS that was sent in a test: `phone` is E.164, `text` what the phone shows."""

    purpose: str
    code: str = field(repr=False)
    """The digits; empty for a notice."""


class SMSKit:
    """The SMS of one test, as `self.sms` of SMSTestMixin or the pytest fixture `sms`."""

    def __init__(self) -> None:
        self.outbox: list[OutboxSMS] = []
        """What was sent in this test, newest last."""
        self._settings = OpenSettings()
        self._outcome: Callable[[], Outcome] = _accepted
        self._adding = Lock()

    @property
    def last(self) -> OutboxSMS:
        """The newest SMS; raises LookupError when none was sent."""
        if not self.outbox:
            raise LookupError("No SMS was sent in this test: look at what the request was answered.")
        return self.outbox[-1]

    @property
    def code(self) -> str:
        """The newest code; raises LookupError when none was sent."""
        found = next((sms.code for sms in reversed(self.outbox) if sms.code), None)
        if found is None:
            raise LookupError("No code was sent in this test: look at what the request was answered.")
        return found

    def send(self, phone: str, purpose: str = "login", *, context: Mapping[str, Any] | None = None) -> Verification:
        """Sends a code as `send_code` does; raises what that raises."""
        return send_code(phone, purpose, context=context)

    def verified(self, phone: str, purpose: str = "login", *, context: Mapping[str, Any] | None = None) -> str:
        """Returns a proof that a number was verified just now, for `redeem_proof` or the site's own view.

        Its SMS is not in the outbox. Raises what `send_code` and `verify_code` raise.
        """
        sent = len(self.outbox)
        verification = send_code(phone, purpose, context=context)
        del self.outbox[sent:]
        return make_proof(verify_code(verification.id, right_code(verification), context=context))

    def template(self, purpose: str, content: str = CONTENT) -> Template:
        """Adds an approved text and returns it: a code in your own words, or without `{code}` a notice."""
        provider, _ = Provider.objects.get_or_create(slug=SLUG, defaults={"name": SLUG, "gateway": "memory"})
        approved = {"status": ReviewStatus.APPROVED}
        signature, _ = Signature.objects.get_or_create(provider=provider, text=SIGNATURE, defaults=approved)
        return Template.objects.create(
            provider=provider, signature=signature, purpose=purpose, name=purpose, content=content, **approved
        )

    def limits(self, **limits: Any) -> None:
        """From here on these limits hold, as SMSVERIFY names them: `limits(PHONE_LIMITS=("1/h",))`.

        Without any, all that the site has hold: limits, captcha, guard and budgets. Raises TypeError for what is no
        limit, and ValueError for a value that SMSVERIFY would not take.
        """
        self._settings.limit(limits)

    def refuse(self, reason: str = Reason.OTHER) -> None:
        """From here on the vendor refuses each SMS: `"recipient"` means the number, others mean something else.

        Raises ValueError for what is no Reason.
        """
        if reason not in Reason.values:
            raise ValueError(f"{reason!r} is no reason of a refusal, as are {', '.join(Reason.values)}.")
        self._outcome = partial(GatewayRejected, "refused by the test", reason=Reason(reason))

    def fail(self) -> None:
        """From here on the vendor cannot be reached: nothing is sent."""
        self._outcome = partial(GatewayUnavailable, "made unavailable by the test")

    def lose_answers(self) -> None:
        """From here on each SMS arrives, but the vendor's answer does not: nobody knows that it was sent."""
        self._outcome = partial(GatewayUncertain, "the answer was lost by the test")

    def accept(self) -> None:
        """From here on the vendor accepts each SMS, as at the beginning."""
        self._outcome = _accepted

    def replacements(self) -> Iterator[tuple[Any, str, Any]]:
        """Yields what takes the place of what in a test: object, attribute, value."""
        yield conf, "written", self._settings.written
        yield cache, "caches", defaultdict(partial(LocMemCache, SLUG, STORE))  # the site's is left alone
        yield flood, "get_usage", mock.Mock(return_value=None)  # which counts in the site's
        yield single, "is_known_purpose", self._make_known
        yield vendor_call, "call_gateway", self._call_gateway

    def _make_known(self, purpose: str) -> bool:
        """Adds a text for a purpose of which none can be sent."""
        with self._adding:
            if not route_cache.load(purpose):
                self.template(purpose)
        return True

    def _call_gateway(
        self, template: Template, values: Mapping[str, Mapping[str, str]], own_id: str
    ) -> Mapping[str, Outcome]:
        sms = outgoing(template, values, own_id)
        return PerNumber((phone, self._send(sms, phone, template.purpose)) for phone in sms.recipients)

    def _send(self, sms: OutgoingSMS, phone: str, purpose: str) -> Outcome:
        outcome = self._outcome()
        if isinstance(outcome, (Acceptance, GatewayUncertain)):
            text, code = texts.signed(sms.signature, full_text(sms, phone)), sms.recipients[phone].get("code", "")
            self.outbox.append(OutboxSMS(phone=phone, text=text, purpose=purpose, code=code))
        return outcome


def _accepted() -> Acceptance:
    return Acceptance(remote_id=uuid4().hex)


@contextmanager
def sms_kit() -> Iterator[SMSKit]:
    """Yields the kit of one test. Raises RuntimeError outside of tests, where nobody would get an SMS any more."""
    if not hasattr(mail, "outbox"):
        raise RuntimeError("The kit is for tests only: run them with `manage.py test` or pytest-django.")
    kit = SMSKit()
    with ExitStack() as stack:
        for where, name, value in kit.replacements():
            stack.enter_context(mock.patch.object(where, name, value))
        LocMemCache(SLUG, STORE).clear()
        forget()
        stack.callback(forget)
        yield kit


if TYPE_CHECKING:
    _Mixin = unittest.TestCase
else:
    _Mixin = object


class SMSTestMixin(_Mixin):
    """Stands before TestCase, or another of django.test with a database, and gives each test `self.sms`.

    A class with a `setUp` of its own must call `super().setUp()` in it.
    """

    sms: SMSKit

    def setUp(self) -> None:
        self.sms = self.enterContext(sms_kit())
        super().setUp()
