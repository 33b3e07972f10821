"""The body of a request, up to a limit, whichever server delivers it.

A client that sends in chunks (Transfer-Encoding: chunked) declares no length. Django then takes the body for empty
under WSGI, and DRF does so under ASGI too. Here it is read as far as the server marks its end; else the client is told
to declare its length.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_smsverify.exceptions import SMSVerifyError

COMPRESSIONS = {"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd"}


class BodyError(SMSVerifyError):
    """A body that cannot be taken; nothing of it was used."""

    code = "invalid"


class BodyBroken(BodyError):
    """The connection broke off, or the chunks or the declared length are wrong."""

    sentence = _("The body did not arrive whole. Please check its Content-Length and send it again.")


class BodyTooLarge(BodyError):
    """The body has more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(_("The body is larger than %d KiB.") % max(1, limit // 1024))


class BodyCompressed(BodyError):
    """The body has a Content-Encoding; it is not unpacked, because a small one can unpack to gigabytes."""

    code = "unsupported_media_type"
    sentence = _("The body is compressed. Please send it without Content-Encoding.")


class LengthRequired(BodyError):
    """The length is not declared, and this server does not mark where the body ends."""

    code = "length_required"
    sentence = _("The server cannot tell where the body ends. Please send it with a Content-Length, not in chunks.")


def content_length(request: HttpRequest) -> int | None:
    """The declared length in bytes, None when there is none; raises BodyBroken for what is no length."""
    declared = request.META.get("CONTENT_LENGTH") or None
    try:
        length = None if declared is None else int(declared)
    except ValueError:
        raise BodyBroken from None
    if length is not None and length < 0:
        raise BodyBroken
    return length


def read_body(request: HttpRequest, limit: int) -> bytes:
    """The whole body, which may have `limit` bytes, or DATA_UPLOAD_MAX_MEMORY_SIZE where the site allows less.

    Never more than one byte above that is read. Raises BodyError.
    """
    if request.headers.get("Content-Encoding", "").strip().lower() in COMPRESSIONS:
        raise BodyCompressed
    limit = min(limit, settings.DATA_UPLOAD_MAX_MEMORY_SIZE or limit)  # None allows all
    declared = content_length(request)
    if declared is not None and declared > limit:
        raise BodyTooLarge(limit)
    body = _read(_reader(request, declared), limit + 1)
    if len(body) > limit:
        raise BodyTooLarge(limit)
    # Half a form may look like a whole one with half an id; not every server notices.
    if declared is not None and declared > len(body):
        raise BodyBroken
    return body


def _reader(request: HttpRequest, declared: int | None) -> Callable[[int], bytes]:
    """What reads the body; raises LengthRequired where nothing marks its end."""
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
    except Exception:  # each server has errors of its own for wrong chunks
        raise BodyBroken from None
    return body
