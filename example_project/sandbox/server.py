"""The sandbox as its users hold it: start, stop, look into the inbox, and cause trouble."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from sandbox.exchanges import Exchange, ExchangeLog
from sandbox.faults import Fault, FaultBoard
from sandbox.inbox import SMS, Inbox
from sandbox.listener import Listener
from sandbox.quirks import Quirks
from sandbox.switchboard import Switchboard
from sandbox.vendors import VENDORS

__all__ = ["SMS", "Exchange", "Fault", "Inbox", "Sandbox"]


class Sandbox(Quirks):
    """Five vendors behind one local port; the quirks are plain attributes."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__()
        self.inbox = Inbox()
        self._host = host
        self._port = port
        self._faults = FaultBoard()
        self._log = ExchangeLog()
        self._vendors = {vendor.name: vendor(self.inbox, self) for vendor in VENDORS}
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
        return self

    def stop(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
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
