"""Routes each request to its vendor, applies the faults and logs the exchange."""

from __future__ import annotations

import re
from collections.abc import Mapping
from threading import Condition

from sandbox.connection import Connection
from sandbox.exchanges import Exchange, ExchangeLog
from sandbox.fault_effects import apply_fault
from sandbox.faults import FaultBoard
from sandbox.vendors.base import Vendor
from sandbox.wire import Reply, Request


class Router:
    """Routes each request to the vendor named by the first segment of its path."""

    def __init__(self, vendors: Mapping[str, Vendor], faults: FaultBoard, log: ExchangeLog) -> None:
        self._vendors = vendors
        self._serving, self._idle = 0, Condition()
        self._faults = faults
        self._log = log

    def serve(self, request: Request, connection: Connection) -> None:
        with self._idle:
            self._serving += 1
        try:
            self._serve(request, connection)
        finally:
            with self._idle:
                self._serving -= 1
                self._idle.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        """Waits until no request is under way; returns False on a timeout."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._serving, seconds)

    def _serve(self, request: Request, connection: Connection) -> None:
        vendor = self._vendors.get(request.path.split("/")[1] if "/" in request.path else "")
        name = vendor.name if vendor else ""
        operation = re.search(r"(?:^|&)method=([A-Za-z]+)", request.query)
        named = operation[1] if operation else ""
        serial = self._log.opened(Exchange(name, request.method, request.path, operation=named))
        reply = self._reply(vendor, request, connection) if vendor else Reply.page(404)
        if reply is not None:
            # Logged first: a client that has read the answer must find it in the log.
            self._log.answered(serial, reply.status)
            connection.send(reply)

    def _reply(self, vendor: Vendor, request: Request, connection: Connection) -> Reply | None:
        fault = self._faults.take(vendor.name) if vendor.has_path(request.path) else None
        return vendor.answer(request) if fault is None else apply_fault(fault, vendor, request, connection)
