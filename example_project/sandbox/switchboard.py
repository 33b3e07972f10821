"""The way of a request to its vendor, past the faults and into the record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from threading import Condition

from sandbox.exchanges import Exchange, ExchangeLog
from sandbox.faults import FaultBoard
from sandbox.line import Line
from sandbox.misconduct import misbehave
from sandbox.vendors.base import Vendor
from sandbox.wire import Reply, Request


class Switchboard:
    """Connects each request to the vendor named by the first segment of its path."""

    def __init__(self, vendors: Mapping[str, Vendor], faults: FaultBoard, log: ExchangeLog) -> None:
        self._vendors = vendors
        self._serving, self._idle = 0, Condition()
        self._faults = faults
        self._log = log

    def serve(self, request: Request, line: Line) -> None:
        with self._idle:
            self._serving += 1
        try:
            self._serve(request, line)
        finally:
            with self._idle:
                self._serving -= 1
                self._idle.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        """Whether within so long nothing is under way any more that may still deliver."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._serving, seconds)

    def _serve(self, request: Request, line: Line) -> None:
        vendor = self._vendors.get(request.path.split("/")[1] if "/" in request.path else "")
        name = vendor.name if vendor else ""
        operation = re.search(r"(?:^|&)method=([A-Za-z]+)", request.query)
        named = operation[1] if operation else ""
        serial = self._log.opened(Exchange(name, request.method, request.path, operation=named))
        reply = self._reply(vendor, request, line) if vendor else Reply.page(404)
        if reply is not None:
            # Recorded first: a caller who has read the answer must find it in the record.
            self._log.answered(serial, reply.status)
            line.send(reply)

    def _reply(self, vendor: Vendor, request: Request, line: Line) -> Reply | None:
        fault = self._faults.take(vendor.name) if vendor.has_path(request.path) else None
        return vendor.answer(request) if fault is None else misbehave(fault, vendor, request, line)
