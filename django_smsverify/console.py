"""What a console, a file or a pipe can take of a text: not every encoding has every character."""

from __future__ import annotations


def as_shown(text: str, stream: object) -> str:
    """The text as a stream can take it.

    A character that its encoding lacks, such as an emoji in GBK, becomes an escape such as \\U0001f511, as Python
    itself writes it to standard error.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
