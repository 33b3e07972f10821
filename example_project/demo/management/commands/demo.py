"""The command that sets up and runs the demo."""

from __future__ import annotations

import errno
import signal
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

from demo.periodic import Periodic
from demo.seed import reset_admin, seed
from demo.vendors import register_webhooks, sandbox
from demo.wsgi import application

READY = """
The demo is ready: {url}

  Scenes  log in or register, reset a password, pay, change the number
  Admin   {url}admin/
          user admin, password {password} (a new one at each start)
  curl    curl {url}sms/send/ -H 'Content-Type: application/json' \\
               -d '{{"phone": "13800138000", "purpose": "login"}}'
  Stop    Ctrl-C
"""


class Command(BaseCommand):
    help = "Prepares the database, starts nine SMS vendors on this machine and serves the demo."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000, help="0 for any free one")

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        # A shell that starts the demo in the background makes it ignore SIGINT.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        with suppress(KeyboardInterrupt), listen(host, port) as server, sandbox:
            call_command("migrate", verbosity=0, interactive=False)
            seed(sandbox.base_urls)
            url = address(host, server.server_port)
            register_webhooks(url)
            self.stdout.write(READY.format(url=url, password=reset_admin()))
            self.stdout.flush()
            with Periodic():
                server.serve_forever()


class Handler(WSGIRequestHandler):
    """Sends the body at once; the client's system would else wait 40 ms before it acknowledges the headers."""

    disable_nagle_algorithm = True


def listen(host: str, port: int) -> ThreadedWSGIServer:
    """Binds the port before any other work; raises CommandError if that fails."""
    try:
        server = ThreadedWSGIServer((host, port), Handler, ipv6=":" in host)
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            why = f"Port {port} of {host} is taken: stop the program that uses it, or choose another with --port."
        else:
            why = f"The demo cannot listen on {host}, port {port}: {error}"
        raise CommandError(why) from None
    server.set_app(StaticFilesHandler(application))
    return server


def address(host: str, port: int) -> str:
    """The URL to open; for a server that listens on all addresses, the URL of this machine."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}/" if ":" in reachable else f"http://{reachable}:{port}/"
