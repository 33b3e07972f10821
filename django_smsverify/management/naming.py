"""Finds the providers that a command line names."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.management.base import CommandError

from django_smsverify.models import Provider


def providers_named(slugs: Sequence[str]) -> list[Provider]:
    """Returns the providers with these slugs, in this order; raises CommandError, which names those that there are."""
    known = {provider.slug: provider for provider in Provider.objects.all()}
    if unknown := [slug for slug in slugs if slug not in known]:
        raise CommandError(f"There is no provider {', '.join(unknown)}; there are: {', '.join(known) or 'none'}.")
    return [known[slug] for slug in slugs]
