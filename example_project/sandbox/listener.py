"""The socket server: reads requests, keeps connections alive and closes all of them promptly."""

from __future__ import annotations

import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from socketserver import TCPServer
from threading import Lock, Thread
from typing import Any

from sandbox.connection import Connection, Gate
from sandbox.wire import Reply, Request

_BODY_CAP = 1024 * 1024
_POLL_SECONDS = 0.02

Serve = Callable[[Request, Connection], None]


class Listener(ThreadingHTTPServer):
    """Listens in a daemon thread and passes each request to `serve`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, host: str, port: int, serve: Serve) -> None:
        self.serve = serve
        self.gate = Gate()
        self._lock = Lock()
        self._connections: set[socket] = set()
        super().__init__((host, port), _Handler)
        self._thread = Thread(target=self.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        self._thread.start()

    def server_bind(self) -> None:
        # The inherited method asks the resolver for a host name, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        self.shutdown()
        self.gate.open(for_good=True)
        with self._lock:
            for connection in self._connections:
                _shut_down(connection)
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Reads whole requests from one connection, one after another."""

    server: Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        try:
            self._exchange()
        except OSError:
            self.close_connection = True

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *args: Any, **kwargs: Any) -> None:
        pass

    def _exchange(self) -> None:
        connection = Connection(self.connection, self.server.gate.current())
        body = self._body()
        if isinstance(body, Reply):
            connection.send(body)
            self.close_connection = True
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.serve(Request(self.command, path, query, headers, body), connection)
        if connection.spent:
            self._cut()

    def _body(self) -> bytes | Reply:
        if "Transfer-Encoding" in self.headers:
            return Reply.page(411)
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdecimal()):
            return Reply.page(400)
        if len(length) > 10 or int(length) > _BODY_CAP:
            return Reply.page(413)
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionAbortedError
        return body

    def _cut(self) -> None:
        # A TCP reset is sent only if both are closed before the server's own orderly shutdown.
        self.close_connection = True
        self.rfile.close()
        self.connection.close()


def _shut_down(connection: socket) -> None:
    try:
        connection.shutdown(SHUT_RDWR)
    except OSError:
        return
