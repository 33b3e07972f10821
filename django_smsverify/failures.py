"""What may be said of an error that nobody foresaw: its kind and its frames, never its words or any value."""

from __future__ import annotations

import traceback


def describe(error: BaseException) -> str:
    """The error's class and the lines of code that it came through, for a log.

    Its words may repeat a number or a code. Write the log line outside of the `except` block: inside, monitoring
    tools find the error itself among the local variables.
    """
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{type(error).__name__}:\n{frames}"
