"""Spans of OpenTelemetry: nothing but a no-op unless the site has set up a tracer provider.

Attributes hold names of rows and words of this app: no number, no code, no value of a template, no text of a vendor.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any


class _NoSpan(AbstractContextManager["_NoSpan"]):
    """Replaces a span where nobody traces."""

    __slots__ = ()

    def set_attribute(self, name: str, value: object) -> None:
        """Does nothing."""

    def __exit__(self, *error: object) -> None:
        """Lets an error through."""


NO_SPAN = _NoSpan()


def span(name: str, **attributes: str | int) -> AbstractContextManager[Any]:
    """A span around the body of a `with`, which has `set_attribute`; each attribute is named `smsverify.` and so on."""
    tracer = _tracer()
    return NO_SPAN if tracer is None else _recorded(tracer, name, attributes)


@contextmanager
def _recorded(tracer: Any, name: str, attributes: dict[str, str | int]) -> Iterator[Any]:
    """Notes the class of an error, and not its text."""
    named = {f"smsverify.{key}": value for key, value in attributes.items()}
    with tracer.start_as_current_span(
        f"smsverify.{name}", attributes=named, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute("error.type", getattr(error, "code", "") or type(error).__name__)
            raise


def _tracer() -> Any:
    """The site's tracer; None where none is set up, which whoever does it imports the API for."""
    trace = sys.modules.get("opentelemetry.trace")
    # Another thread may be importing it this moment: then its last names are missing.
    provider_of, proxy = getattr(trace, "get_tracer_provider", None), getattr(trace, "ProxyTracerProvider", None)
    if trace is None or provider_of is None or proxy is None or isinstance(provider_of(), proxy):
        return None
    return trace.get_tracer("django_smsverify")
