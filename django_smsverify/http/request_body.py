"""The body of a request, up to a limit, on any server.

A client that sends in chunks (Transfer-Encoding: chunked) declares no length. Django then treats the body as empty
under WSGI, and DRF does so under ASGI too. This module reads the body if the server marks its end; otherwise the client
is asked to declare the length.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_smsverify.exceptions import SMSVerifyError

COMPRESSIONS = {"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd"}


class BodyError(SMSVerifyError):
    """A body that is refused; nothing of it was used."""

    code = "invalid"


class BodyBroken(BodyError):
    """The connection was interrupted, or the chunks or the declared length are wrong."""

    sentence = _("The body did not arrive whole. Please check its Content-Length and send it again.")


class BodyTooLarge(BodyError):
    """The body has more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(_("The body is larger than %d KiB.") % max(1, limit // 1024))


class BodyCompressed(BodyError):
    """The body has a Content-Encoding. It is not unpacked, because a small body can unpack to gigabytes."""

    code = "unsupported_media_type"
    sentence = _("The body is compressed. Please send it without Content-Encoding.")


class LengthRequired(BodyError):
    """The length is not declared, and this server does not mark where the body ends."""

    code = "length_required"
    sentence = _("The server cannot tell where the body ends. Please send it with a Content-Length, not in chunks.")


def content_length(request: HttpRequest) -> int | None:
    """Returns the declared length in bytes, or None without one; raises BodyBroken if it is not a valid length."""
    declared = request.META.get("CONTENT_LENGTH") or None
    try:
        length = None if declared is None else int(declared)
    except ValueError:
        raise BodyBroken from None
    if length is not None and length < 0:
        raise BodyBroken
    return length


def read_body(request: HttpRequest, limit: int) -> bytes:
    """Returns the whole body, of at most `limit` bytes, or DATA_UPLOAD_MAX_MEMORY_SIZE if the site allows less.

    Never reads more than one byte above that. Raises BodyError.
    """
    if request.headers.get("Content-Encoding", "").strip().lower() in COMPRESSIONS:
        raise BodyCompressed
    limit = min(limit, settings.DATA_UPLOAD_MAX_MEMORY_SIZE or limit)  # None means no limit
    declared = content_length(request)
    if declared is not None and declared > limit:
        raise BodyTooLarge(limit)
    body = _read(_reader(request, declared), limit + 1)
    if len(body) > limit:
        raise BodyTooLarge(limit)
    # A truncated form may look complete, with a truncated id; not every server notices.
    if declared is not None and declared > len(body):
        raise BodyBroken
    return body


def _reader(request: HttpRequest, declared: int | None) -> Callable[[int], bytes]:
    """The function that reads the body; raises LengthRequired if nothing marks its end."""
    # Under ASGI Django has the whole body, and there is no "wsgi.input".
    if declared is not None or "wsgi.input" not in request.META:
        return request.read
    if request.META.get("wsgi.input_terminated"):
        return request.META["wsgi.input"].read  # type: ignore[no-any-return]
    raise LengthRequired


def _read(read: Callable[[int], bytes], most: int) -> bytes:
    body = b""
    try:
        while len(body) < most and (some := read(most - len(body))):
            body += some
    except Exception:  # each server raises its own errors for wrong chunks
        raise BodyBroken from None
    return body
