"""A vendor that accepts every SMS: a process of its own, so that its work is not counted as the site's.

    python -m benchmarks.vendor

Prints its URL. It answers in the format of TopThink, or of Twilio, APISpace or Qixuntong at a path of theirs, each call
with a new id. At `/sent/<last digits of a number>` it says what it was sent last for that number, and
`/delay/<seconds>` makes it wait before each answer; `/waiting` says how many calls have none yet.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit
from urllib.request import urlopen

from .environments import ROOT

NUMBER = re.compile(r"1[3-9]\d{9}", re.ASCII)
TWILIO, APISPACE, QIXUNTONG = "/2010-04-01/", "/sms-code/verifycode", "/qxt_yzm_sms/"


class Vendor:
    """Answers each connection in a thread, request after request."""

    def __init__(self) -> None:
        self._delay = 0.0
        self._ids = count(1)
        self._sent: dict[str, dict[str, str]] = {}
        self._numbers: dict[str, str] = {}
        """By id."""
        self._waiting, self._lock = 0, Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as incoming:
            while request := incoming.readline().decode():
                length = 0
                while header := incoming.readline().strip():
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                status, answer = self._answer(request.split()[1], incoming.read(length).decode())
                body = json.dumps(answer).encode()
                head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)

    def _answer(self, path: str, body: str) -> tuple[str, dict[str, Any]]:
        if path.startswith("/sent/"):
            return "200 OK", self._sent.get(path[-11:], {})
        if path.startswith("/delay/"):
            self._delay = float(path.rpartition("/")[2])
            return "200 OK", {}
        if path.startswith("/waiting"):
            return "200 OK", {"calls": self._waiting}
        self._wait()
        new_id = f"sms{next(self._ids):010}"
        if path == "/sms/query_status":
            asked = unquote_plus(body).removeprefix("id=")
            report = {"id": asked, "phone": self._numbers.get(asked, ""), "status": 1, "message": "DELIVRD"}
            return "200 OK", {"code": 0, "message": "", "data": report}
        if path == APISPACE:
            return "200 OK", {"code": "0", "msgId": new_id}
        if path.startswith(QIXUNTONG):
            given = enumerate(parse_qs(urlsplit(path).query)["mobile"][0].split(","))
            items = [{"mobile": phone, "mid": f"{new_id}-{place}", "result": "0"} for place, phone in given]
            return "200 OK", {"status": "0", "list": items}
        content = unquote_plus(body)
        if number := NUMBER.search(content):
            self._sent[number[0]] = {"id": new_id, "body": content}
            self._numbers[new_id] = number[0]
        if TWILIO in path:
            return "201 Created", {"sid": new_id, "status": "queued"}
        return "200 OK", {"code": 0, "message": "", "data": {"id": new_id}}

    def _wait(self) -> None:
        with self._lock:
            self._waiting += 1
        time.sleep(self._delay)
        with self._lock:
            self._waiting -= 1


def waiting(vendor: str) -> int:
    """How many calls a vendor has not answered."""
    with urlopen(f"{vendor}/waiting") as response:  # noqa: S310 - the vendor above
        return int(json.load(response)["calls"])


def last_sent(vendor: str, phone: str) -> dict[str, str]:
    """The `id` of the last SMS to a number, and the `body` of the request that sent it; empty if there was none."""
    with urlopen(f"{vendor}/sent/{phone[-11:]}") as response:  # noqa: S310 - the vendor above
        found: dict[str, str] = json.load(response)
    return found


def set_delay(vendor: str, seconds: float) -> None:
    """Makes a vendor wait before each answer."""
    urlopen(f"{vendor}/delay/{seconds}").close()  # noqa: S310 - the vendor above


@contextmanager
def running_vendor() -> Iterator[str]:
    """Runs a vendor in another process and yields its URL."""
    command = [sys.executable, "-m", "benchmarks.vendor"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603 - this module
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


if __name__ == "__main__":
    vendor = Vendor()
    print(vendor.url, flush=True)
    vendor.serve()
