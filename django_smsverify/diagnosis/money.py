"""What a budget needs, in words for an operator."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from django_smsverify.models import Provider

from .findings import Finding, State


def unpriced(provider: Provider, purposes: Sequence[str]) -> Finding:
    """That a provider without a price sends nothing for purposes with a budget."""
    words = _("%(provider)s has no price, and a budget is set: it sends nothing for %(purposes)s.")
    advice = _("Enter the price of a segment in the admin, or take the budget away.")
    facts = {"provider": provider.slug, "purposes": ", ".join(purposes)}
    return Finding(_("price"), State.WRONG, words % facts, advice)
