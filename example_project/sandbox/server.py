"""The sandbox as its users hold it: start, stop, look into the inbox, hear from the vendors, and cause trouble."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from sandbox.catalogue import Sign, Template
from sandbox.courier import Courier
from sandbox.credits import Credits
from sandbox.exchanges import Exchange, ExchangeLog
from sandbox.faults import Fault, FaultBoard
from sandbox.inbox import SMS, Inbox
from sandbox.listener import Listener
from sandbox.pushing import Pushed, Pusher
from sandbox.quirks import Quirks
from sandbox.reviews import Submission
from sandbox.switchboard import Switchboard
from sandbox.travel import Travel
from sandbox.vendors import VENDORS

__all__ = ["SMS", "Exchange", "Fault", "Inbox", "Pushed", "Sandbox", "Travel"]


class Sandbox(Quirks):
    """Five vendors behind one local port; the quirks are plain attributes."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__()
        self.inbox = Inbox()
        self.webhooks: dict[str, str] = {}
        self._host = host
        self._port = port
        self._faults = FaultBoard()
        self._log = ExchangeLog()
        self._pusher = Pusher(lambda vendor: self.webhooks.get(vendor))
        self._courier = Courier(self._pusher)
        self._vendors = {vendor.name: vendor(self.inbox, self, self._courier) for vendor in VENDORS}
        self._switchboard = Switchboard(self._vendors, self._faults, self._log)
        self._listener: Listener | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        if self._listener is None:
            self._listener = Listener(self._host, self._port, self._switchboard.serve)
            self._courier.start()
        return self

    def stop(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._courier.stop()
            listener.close()

    @property
    def url(self) -> str:
        if self._listener is None:
            raise RuntimeError("the sandbox is not running")
        return f"http://{self._host}:{self._listener.server_port}"

    @property
    def base_urls(self) -> dict[str, str]:
        return {name: f"{self.url}/{name}{vendor.base}" for name, vendor in self._vendors.items()}

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        return self._log.all()

    def misbehave(self, vendor: str, fault: Fault, times: int | None = None) -> None:
        """Replace the vendor's present fault; without times it lasts until behave()."""
        if vendor not in self._vendors:
            raise KeyError(vendor)
        self._faults.put(vendor, fault, times)

    def behave(self, vendor: str | None = None) -> None:
        self._faults.clear(vendor)

    def release(self) -> None:
        """Let the connections that hang, drip or wait end at once; later faults are not touched."""
        if self._listener is not None:
            self._listener.gate.open()

    def wait_until_idle(self, seconds: float = 5) -> bool:
        """Whether within so long no request is under way any more; one that was released may still deliver."""
        return self._switchboard.wait_until_idle(seconds)

    @property
    def pushes(self) -> tuple[Pushed, ...]:
        """What the vendors told the app at its `webhooks`, oldest first."""
        return self._pusher.all()

    def travel(self, vendor: str | None, travel: Travel) -> None:
        """How what a vendor accepts from now on travels, and how its pushes do; None: every vendor's."""
        for name in self._vendors if vendor is None else [self._vendors[vendor].name]:
            self._courier.plan(name, travel)

    def flush(self) -> int:
        """Let all that waits, retries included, happen now, in this thread; the number of calls made."""
        return self._courier.flush()

    def reply(self, phone: str, content: str) -> bool:
        """The phone's owner answers its newest SMS; False when there is none or its vendor passes on no replies."""
        newest = self.inbox.of(phone)[-1:]
        push = self._vendors[newest[0].vendor].forward(newest[0], content) if newest else None
        if push is not None:
            self._courier.leave(push.vendor, lambda travel: push)
        return push is not None

    def judge(self, vendor: str, kind: Submission, remote_id: str, approved: bool, reason: str = "") -> None:
        """The vendor's reviewers decide on what is submitted there; raises KeyError for what is not."""
        push = self._vendors[vendor].judge(kind, remote_id, approved, reason)
        self._courier.leave(vendor, lambda travel: push)

    def submitted(self, vendor: str, kind: Submission) -> list[tuple[str, str, int]]:
        """What is submitted there, oldest first: id, name of a sign or text of a template, and the status (0, 1, 2)."""
        records = self._vendors[vendor].reviews(kind).all()
        return [(record.submitted.id, _words(record.submitted), record.verdict.status) for record in records]

    def credits(self, vendor: str) -> int:
        """How many SMS the account at the vendor can still pay for; raises KeyError where the vendor tells nobody."""
        return self._account(vendor).left

    def set_credits(self, vendor: str, left: int) -> None:
        """From now on the account has so many; sends that it cannot pay for are refused."""
        self._account(vendor).left = left

    def _account(self, vendor: str) -> Credits:
        if not self._vendors[vendor].opening_credits:
            raise KeyError(vendor)
        return self._vendors[vendor].credits

    def forget(self) -> None:
        """Drop plans, webhooks, pushes and all that waits or could be asked for; filings and credits as at first."""
        self.webhooks.clear()
        self._courier.forget()
        for vendor in self._vendors.values():
            vendor.forget()
        self._pusher.clear()


def _words(submitted: Sign | Template) -> str:
    return submitted.name if isinstance(submitted, Sign) else submitted.text
