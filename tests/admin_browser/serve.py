"""Makes the database of a site, fills it, and serves the site until its input ends.

python -m tests.admin_browser.serve, with DJANGO_SETTINGS_MODULE and ADMIN_SITE, the database's file; prints its
address, the cookie of its operator's session, and the addresses of its pages.
"""

from __future__ import annotations

import json
import sys
from threading import Thread

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.handlers.wsgi import WSGIHandler
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from sandbox.server import Sandbox

    from .pages import addresses
    from .rows import fill, session_of_the_operator

    class Handler(WSGIRequestHandler):
        """Sends the body at once, and logs no requests."""

        disable_nagle_algorithm = True

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Nothing."""

    call_command("migrate", verbosity=0)
    with Sandbox() as sandbox, ThreadedWSGIServer(("127.0.0.1", 0), Handler) as server:
        fill(sandbox.base_urls)
        server.set_app(StaticFilesHandler(WSGIHandler()))
        serving = Thread(target=server.serve_forever, daemon=True)
        serving.start()
        url = f"http://127.0.0.1:{server.server_port}"
        print(json.dumps({"url": url, "session": session_of_the_operator(), "pages": addresses()}), flush=True)
        sys.stdin.read()
        server.shutdown()
        serving.join()


if __name__ == "__main__":
    main()
