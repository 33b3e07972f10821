"""A client that keeps its connections open, one for each thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

from .subjects import Call

ADDRESS_HEADER = "X-Benchmark-Address"
"""Where a client is; each has its own address, though all are one process."""
CPU_PATH = "/cpu"
"""Answers the seconds of CPU that the worker has used."""
SITE_VARIABLE = "BENCHMARKED_SITE"
"""The environment variable with the Place of the site, as JSON."""


class Client:
    """Makes calls to a served site."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._own = threading.local()

    def make(self, call: Call) -> tuple[int, bytes]:
        headers = {"Content-Type": call.content_type, ADDRESS_HEADER: call.address, **dict(call.headers)}
        connection = self._connection()
        connection.request("POST", call.path, call.body, headers)
        response = connection.getresponse()
        return response.status, response.read()

    def make_all(self, calls: Sequence[Call], at_once: int) -> float:
        """Makes the calls, so many at the same time; returns the seconds. Each must have the status that it should."""
        with ThreadPoolExecutor(at_once) as threads:
            begun = time.perf_counter()
            answers = list(threads.map(self.make, calls))
            seconds = time.perf_counter() - begun
        for call, (status, body) in zip(calls, answers, strict=True):
            if status != call.status:
                raise RuntimeError(f"{call.path} was answered with {status} instead of {call.status}: {body[:500]!r}")
        return seconds

    def get(self, path: str) -> str:
        connection = self._connection()
        connection.request("GET", path)
        return connection.getresponse().read().decode()

    def _connection(self) -> HTTPConnection:
        if not hasattr(self._own, "connection"):
            self._own.connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection: HTTPConnection = self._own.connection
        return connection
