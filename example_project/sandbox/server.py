"""The public class of the sandbox: start, stop, read the inbox, receive pushes and set faults."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from sandbox.catalogue import Sign, Template
from sandbox.credits import Credits
from sandbox.exchanges import Exchange, ExchangeLog
from sandbox.faults import Fault, FaultBoard
from sandbox.inbox import SMS, Inbox
from sandbox.listener import Listener
from sandbox.pushing import Pushed, Pusher
from sandbox.quirks import Quirks
from sandbox.reviews import Submission
from sandbox.router import Router
from sandbox.scheduler import Scheduler
from sandbox.travel import Travel
from sandbox.vendors import VENDORS

__all__ = ["SMS", "Exchange", "Fault", "Inbox", "Pushed", "Sandbox", "Travel"]


class Sandbox(Quirks):
    """The vendors behind one local port; the quirks are plain attributes."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__()
        self.inbox = Inbox()
        self.webhooks: dict[str, str] = {}
        self._host = host
        self._port = port
        self._faults = FaultBoard()
        self._log = ExchangeLog()
        self._pusher = Pusher(lambda vendor: self.webhooks.get(vendor))
        self._scheduler = Scheduler(self._pusher)
        self._vendors = {vendor.name: vendor(self.inbox, self, self._scheduler) for vendor in VENDORS}
        self._router = Router(self._vendors, self._faults, self._log)
        self._listener: Listener | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        if self._listener is None:
            self._listener = Listener(self._host, self._port, self._router.serve)
            self._scheduler.start()
        return self

    def stop(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._scheduler.stop()
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
        """Replace the vendor's current fault; without times it lasts until behave()."""
        if vendor not in self._vendors:
            raise KeyError(vendor)
        self._faults.put(vendor, fault, times)

    def behave(self, vendor: str | None = None) -> None:
        self._faults.clear(vendor)

    def release(self) -> None:
        """End the connections that hang, drip or wait now; later ones are not affected."""
        if self._listener is not None:
            self._listener.gate.open()

    def wait_until_idle(self, seconds: float = 5) -> bool:
        """Waits until no request is under way; False on a timeout. A released request may still deliver until then."""
        return self._router.wait_until_idle(seconds)

    @property
    def pushes(self) -> tuple[Pushed, ...]:
        """The pushes that the vendors made to the app's `webhooks`, oldest first."""
        return self._pusher.all()

    def travel(self, vendor: str | None, travel: Travel) -> None:
        """Set the travel plan for all SMS and pushes of a vendor from now on; None: of every vendor."""
        for name in self._vendors if vendor is None else [self._vendors[vendor].name]:
            self._scheduler.plan(name, travel)

    def flush(self) -> int:
        """Run all waiting actions now, retries included, in this thread; returns the number of calls made."""
        return self._scheduler.flush()

    def reply(self, phone: str, content: str) -> bool:
        """Reply to the newest SMS of the phone; False if there is none or its vendor does not forward replies."""
        newest = self.inbox.of(phone)[-1:]
        push = self._vendors[newest[0].vendor].on_reply(newest[0], content) if newest else None
        if push is not None:
            self._scheduler.schedule(push.vendor, lambda travel: push)
        return push is not None

    def judge(self, vendor: str, kind: Submission, remote_id: str, approved: bool, reason: str = "") -> None:
        """Set the verdict of the vendor's reviewers; raises KeyError for an unknown id."""
        push = self._vendors[vendor].judge(kind, remote_id, approved, reason)
        self._scheduler.schedule(vendor, lambda travel: push)

    def submitted(self, vendor: str, kind: Submission) -> list[tuple[str, str, int]]:
        """The submissions at a vendor, oldest first: id, name of a sign or text of a template, status (0, 1, 2)."""
        records = self._vendors[vendor].reviews(kind).all()
        return [(record.submitted.id, _text_of(record.submitted), record.verdict.status) for record in records]

    def credits(self, vendor: str) -> int:
        """The credits left in the account; raises KeyError if the vendor does not report them."""
        return self._account(vendor).left

    def set_credits(self, vendor: str, left: int) -> None:
        """Set the credits of the account; a send that costs more is refused."""
        self._account(vendor).left = left

    def _account(self, vendor: str) -> Credits:
        if not self._vendors[vendor].opening_credits:
            raise KeyError(vendor)
        return self._vendors[vendor].credits

    def reset(self) -> None:
        """Drop plans, webhooks, pushes, waiting actions and SMS states; restore the initial submissions and credits."""
        self.webhooks.clear()
        self._scheduler.reset()
        for vendor in self._vendors.values():
            vendor.reset()
        self._pusher.clear()


def _text_of(submitted: Sign | Template) -> str:
    return submitted.name if isinstance(submitted, Sign) else submitted.text
