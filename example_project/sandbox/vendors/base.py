"""The base class of the vendors: routing, refusals, delivery to the inbox, and pushes."""

from __future__ import annotations

import hmac
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from sandbox.catalogue import Sign, Template
from sandbox.credits import Credits
from sandbox.inbox import SMS, Inbox
from sandbox.pushing import Push
from sandbox.quirks import Quirks
from sandbox.reviews import APPROVED, REJECTED, Record, Reviews, Submission, Verdict
from sandbox.scheduler import Scheduler
from sandbox.travel import DeliveryState, Travel
from sandbox.wire import MalformedError, Reply, Request

Operation = Callable[[Request], Reply]

_MOBILE = re.compile(r"1[3-9][0-9]{9}")


class RefusedError(Exception):
    """The vendor refuses the request, with one of its own codes."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Vendor(ABC):
    """One vendor: its operations by method and path; the path is relative to the vendor's root."""

    name: ClassVar[str]
    base: ClassVar[str] = ""
    malformed: ClassVar[str]
    initial_signs: ClassVar[tuple[Sign, ...]] = ()
    initial_templates: ClassVar[tuple[Template, ...]] = ()
    opening_credits: ClassVar[int] = 0
    """The initial credits of the account; 0 if the vendor does not report credits."""

    def __init__(self, inbox: Inbox, quirks: Quirks, scheduler: Scheduler) -> None:
        self._inbox = inbox
        self._quirks = quirks
        self._scheduler = scheduler
        self.credits = Credits(self.opening_credits)
        self.signs = Reviews(self.initial_signs)
        self.templates = Reviews(self.initial_templates)

    @abstractmethod
    def routes(self) -> Mapping[tuple[str, str], Operation]: ...

    @abstractmethod
    def refuse(self, request: Request, code: str) -> Reply:
        """The vendor's refusal with that code, in the format that the request asks for."""

    def refuse_numbers(self, request: Request, result: int) -> Reply:
        """Refuses every number, or the whole request if the vendor returns no result per number."""
        return self.refuse(request, str(result))

    def has_path(self, path: str) -> bool:
        return any(self._absolute(route) == self.route_of(path) for _, route in self.routes())

    def route_of(self, path: str) -> str:
        """The absolute route of a path, for a vendor with ids in its paths."""
        return path

    def answer(self, request: Request) -> Reply:
        operations = {
            method: operation
            for (method, path), operation in self.routes().items()
            if self._absolute(path) == self.route_of(request.path)
        }
        if not operations:
            return Reply.page(404)
        if request.method not in operations:
            return Reply.page(405, ("Allow", ", ".join(operations)))
        try:
            return operations[request.method](request)
        except RefusedError as refused:
            return self.refuse(request, refused.code)
        except MalformedError:
            return self.refuse(request, self.malformed)

    def deliver(self, phone: str, text: str, remote_id: str) -> None:
        self.accept(SMS(self.name, phone, text, remote_id, datetime.now(UTC)))

    def accept(self, sms: SMS) -> None:
        code = self._scheduler.plan_of(self.name).failure(sms.phone)
        if not code:
            self._inbox.put(sms)

        def end(travel: Travel) -> Push | None:
            return self.on_final_state(DeliveryState(sms, datetime.now(UTC), travel.arrives and not code, code))

        self._scheduler.schedule(self.name, end)

    def on_final_state(self, state: DeliveryState) -> Push | None:
        """The push when an SMS reaches its final state."""
        return None

    def on_reply(self, sms: SMS, content: str) -> Push | None:
        """The push when a user replies to an SMS; None if the vendor does not forward replies."""
        return None

    def on_review(self, kind: Submission, record: Record[Sign] | Record[Template]) -> Push | None:
        """The push when the reviewers have decided."""
        return None

    def judge(self, kind: Submission, remote_id: str, approved: bool, reason: str) -> Push | None:
        verdict = Verdict(APPROVED if approved else REJECTED, reason, datetime.now(UTC))
        return self.on_review(kind, self.reviews(kind).judge(remote_id, verdict))

    def reviews(self, kind: Submission) -> Reviews[Any]:
        return self.signs if kind == "sign" else self.templates

    def reset(self) -> None:
        self.credits.reset()
        self.signs.clear()
        self.templates.clear()

    def _absolute(self, path: str) -> str:
        return f"/{self.name}{path}"


def is_mobile(number: str) -> bool:
    return _MOBILE.fullmatch(number) is not None


def same(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
