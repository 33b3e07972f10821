"""What the page of a provider tells of its circuits, its own and those for single carriers."""

from __future__ import annotations

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from django_smsverify.models import Provider
from django_smsverify.operations.open_circuits import read_circuits


def told_circuits(provider: Provider) -> SafeString:
    """Returns a line for each open circuit: until when the provider is left alone, and why; blank without one."""
    lines = [found.words for found in read_circuits([provider]).get(provider.pk, ())]
    return format_html_join("\n", "<div>{}</div>", [(line,) for line in lines])
