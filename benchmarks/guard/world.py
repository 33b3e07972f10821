"""A site on a virtual clock, to which people and attackers post over HTTP, one event after another."""

from __future__ import annotations

import heapq
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any, NamedTuple
from unittest.mock import patch

import altcha
import time_machine
from django.apps import apps
from django.core.cache import cache
from django.test import Client, override_settings

from django_smsverify.challenges import altcha as proofs_of_work
from django_smsverify.enums import ReviewStatus
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.limits.guard import closures, figures, watching
from django_smsverify.models import Provider, Signature, Template

PRICE = Decimal("0.05")
"""Yuan for an SMS."""
HOUR, DAY = 3600.0, 86_400.0
START = datetime(2026, 11, 19, 16, tzinfo=UTC).timestamp()
"""Midnight in China."""
ALTCHA: Mapping[str, Any] = {"CAPTCHA": "altcha"}
QUICKLY = range(1, 3)
"""Tries that solve a proof of work here: what it costs an attacker is not measured."""


Event = Callable[[], object]
"""What happens at some moment."""


class Answer(NamedTuple):
    """What the site said."""

    word: str
    """`sent`, `joined` for a code without an SMS, `verified`, the scope of a limit, or the code of another refusal."""
    body: Mapping[str, Any]


class World:
    """The site, the clock and the events; all times are seconds since the beginning."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - it only has to repeat
        self.codes: dict[str, str] = {}
        """The last code that each phone got."""
        self.has_captcha = False
        self._client = Client()
        self._events: list[tuple[float, int, Event]] = []
        self._order = count()

    @property
    def now(self) -> float:
        return time.time() - START

    @staticmethod
    def moment(seconds: float) -> datetime:
        """Returns a moment of the world as a date."""
        return datetime.fromtimestamp(START + seconds, UTC)

    def at(self, moment: float, event: Event) -> None:
        """Has something happen."""
        heapq.heappush(self._events, (moment, next(self._order), event))

    def after(self, seconds: float, event: Event) -> None:
        """Has something happen later."""
        self.at(self.now + seconds, event)

    def run(self, until: float = float("inf")) -> None:
        """Lets happen what is due before a moment."""
        while self._events and self._events[0][0] < until:
            moment, _, event = heapq.heappop(self._events)
            self._clock.move_to(START + moment)
            event()

    @contextmanager
    def open(self, **settings: Any) -> Iterator[World]:
        """Opens the site, with nothing in its tables, its cache and its memory; they are empty again afterwards."""
        self.has_captcha = "CAPTCHA" in settings
        _forget()
        _add_provider()
        quickly = patch.object(proofs_of_work, "TRIES", QUICKLY)
        try:
            with time_machine.travel(START, tick=False) as self._clock, quickly, override_settings(SMSVERIFY=settings):
                yield self
        finally:
            for model in reversed(list(apps.get_app_config("smsverify").get_models())):
                model._default_manager.all().delete()
            _forget()

    def ticket(self, ip: str) -> str:
        """Returns a page ticket; empty where nobody needs one."""
        if not self.has_captcha:
            return ""
        return str(self._client.get("/sms/ticket/", REMOTE_ADDR=ip).json().get("ticket", ""))

    def send(self, ip: str, **body: Any) -> Answer:
        """Asks for a code."""
        answer = self._post("send", ip, body)
        if answer.word == "sent":
            sms = MemoryGateway.outbox[-1]
            self.codes[sms.phone] = re.findall(r"\d{6}", sms.text)[0]
        return answer

    def verify(self, ip: str, verification_id: str, code: str) -> Answer:
        """Enters a code."""
        return self._post("verify", ip, {"verification_id": verification_id, "code": code})

    def _post(self, path: str, ip: str, body: Mapping[str, Any]) -> Answer:
        response = self._client.post(f"/sms/{path}/", body, "application/json", REMOTE_ADDR=ip)
        found = response.json()
        if response.status_code == 202:
            return Answer("sent" if found.get("sent", True) else "joined", found)
        return Answer("verified" if response.status_code == 200 else found.get("scope", found["code"]), found)


def solve(offered: Mapping[str, Any]) -> str:
    """Does the work of a captcha; returns what a browser posts."""
    challenge = altcha.Challenge.from_dict(offered["challenge"])
    solution = altcha.solve_challenge(challenge)
    return altcha.Payload(challenge, solution).to_base64() if solution else ""


def _add_provider() -> None:
    """An account with a template, as an operator makes them."""
    provider = Provider.objects.create(name="memory", slug="memory", gateway="memory", price=PRICE)
    approved = {"provider": provider, "status": ReviewStatus.APPROVED}
    signature = Signature.objects.create(text="示例站", **approved)
    content = "您的验证码是{code}，5分钟内有效。"
    Template.objects.create(signature=signature, purpose="login", name="login", content=content, **approved)


def _forget() -> None:
    """Empties the cache, and what a process keeps in memory."""
    cache.clear()
    MemoryGateway.outbox.clear()
    for kept in (watching.pace, figures, closures.kept):
        kept.forget()
