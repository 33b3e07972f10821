"""The site in a process of its own: python -m tests.queues.serve"""

from __future__ import annotations

from wsgiref.simple_server import WSGIRequestHandler

import django
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.wsgi import get_wsgi_application


def main() -> None:
    django.setup()
    call_command("migrate", verbosity=0)
    server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
    server.set_app(get_wsgi_application())
    print(f"http://127.0.0.1:{server.server_port} is ready.", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
