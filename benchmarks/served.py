"""The WSGI application that gunicorn serves under load; an environment variable says which site it is."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

from .client import ADDRESS_HEADER, CPU_PATH, SITE_VARIABLE
from .sites import Place, configure

configure(Place(**json.loads(os.environ[SITE_VARIABLE])))
_site = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The site, whose clients are where a header says: they are really one process, but each has its own address."""
    if environ["PATH_INFO"] == CPU_PATH:
        body = str(time.process_time()).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
    environ["REMOTE_ADDR"] = environ.pop(f"HTTP_{ADDRESS_HEADER.upper().replace('-', '_')}")
    found: Iterable[bytes] = _site(environ, start_response)
    return found
