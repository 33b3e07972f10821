"""The sandbox as a program: python -m sandbox --port N."""

from __future__ import annotations

import argparse
import signal
from contextlib import suppress
from threading import Event

from sandbox.server import Sandbox


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8765)
    options = parser.parse_args()
    # A shell that starts this in the background makes it ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt), Sandbox(options.host, options.port) as sandbox:
        for vendor, url in sandbox.base_urls.items():
            print(f"{vendor:<10} {url}", flush=True)
        Event().wait()


if __name__ == "__main__":
    main()
