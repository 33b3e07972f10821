"""The effect of each fault on an exchange."""

from __future__ import annotations

from sandbox.connection import Connection
from sandbox.faults import Fault, Kind
from sandbox.vendors.base import Vendor
from sandbox.wire import Reply, Request

_HUGE_BYTES = 1536 * 1024


def apply_fault(fault: Fault, vendor: Vendor, request: Request, connection: Connection) -> Reply | None:
    """The reply that the fault requires; None if the connection cannot be used any more."""
    connection.wait(fault.seconds)
    regular = vendor.answer(request) if fault.deliver else Reply.page(200)
    match fault.kind:
        case Kind.REFUSE:
            return vendor.refuse(request, fault.code)
        case Kind.REFUSE_NUMBER:
            return vendor.refuse_numbers(request, int(fault.code))
        case Kind.SLOW:
            return regular
        case Kind.HANG:
            connection.hang()
        case Kind.RESET:
            connection.reset()
        case Kind.DRIP:
            connection.drip(regular)
        case _:
            return _broken_reply(fault, vendor)
    return None


def _broken_reply(fault: Fault, vendor: Vendor) -> Reply:
    match fault.kind:
        case Kind.GARBAGE:
            return Reply(200, b"\x89\xff\xfe\x00 no reply \x80\xc3\x28", "application/json")
        case Kind.EMPTY:
            return Reply(200, b"", "application/json")
        case Kind.REDIRECT:
            return Reply.page(302, ("Location", f"/{vendor.name}/moved"))
        case Kind.HUGE:
            return Reply.json({"padding": "x" * _HUGE_BYTES})
        case _:
            return Reply.page(fault.http_status)
