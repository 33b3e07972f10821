"""An HTTP server of this machine that keeps what is posted to it, such as an alert."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Listener:
    """What was posted, and how it is answered."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, Any]] = []
        """Path and body of each request that was answered with 200."""
        self.status = 200
        self.go_on = threading.Event()
        """Cleared: no request is answered."""
        self.go_on.set()
        self.port = 0

    def handle(self, path: str, body: bytes) -> tuple[int, bytes]:
        self.go_on.wait(30)
        if self.status == 200:
            self.posts.append((path, json.loads(body)))
        return self.status, b'{"errcode": 0, "code": 0, "StatusCode": 0}'


@contextmanager
def listening() -> Iterator[Listener]:
    listener = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, answer = listener.handle(self.path, body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            """Writes nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        listener.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()
