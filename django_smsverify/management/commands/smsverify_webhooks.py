"""manage.py smsverify_webhooks: prints, tests and changes webhook URLs."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.urls import NoReverseMatch
from django.utils import timezone

from django_smsverify.enums import ReportSource
from django_smsverify.management.naming import providers_named
from django_smsverify.management.terminal import TerminalCommand
from django_smsverify.models import DeliveryReport, Provider
from django_smsverify.models.gateway_classes import gateway_class
from django_smsverify.operations.webhook_calls import public_site, what_is_in_the_way

NEWEST = 1000
"""The number of newest reports that are examined."""


class Command(TerminalCommand):
    help = (
        "Prints the URL that each vendor must be told to call, secret included: handle it like a password. "
        "With --test, calls each one as the vendor would and says what is wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slugs", nargs="*", metavar="SLUG", help="of these providers only")
        parser.add_argument("--site", help="such as https://www.example.com; default: from ALLOWED_HOSTS")
        parser.add_argument("--test", action="store_true", help="post a harmless push through each URL")
        parser.add_argument("--rotate", action="store_true", help="give a new secret; the old one works on")
        parser.add_argument("--retire", action="store_true", help="let the old secret work no more")

    def handle(self, *args: Any, slugs: list[str], site: str | None, **options: Any) -> None:
        providers = self._providers(slugs)
        if (options["rotate"] or options["retire"]) and not slugs:
            raise CommandError("Name the providers whose secrets are to change.")
        base = site_of(site)
        failed = []
        for provider in providers:
            path_of(provider)  # raises before anything changes if there is no URL
            change_secret(provider, rotate=options["rotate"], retire=options["retire"])
            url = base + path_of(provider)
            self.stdout.write(f"{provider.slug:<16} {url}\n{'':<16} {last_report(provider)}")
            if options["test"]:
                why = what_is_in_the_way(url, provider)
                self.stdout.write(f"{'':<16} {why or 'the test push went through'}")
                failed += [provider.slug] if why else []
        if failed:
            raise CommandError(f"No push gets through to: {', '.join(failed)}")

    def _providers(self, slugs: list[str]) -> list[Provider]:
        named = {provider.pk for provider in providers_named(slugs)}
        every = Provider.objects.all()
        return [one for one in every if one.pk in named or (not slugs and is_pushed(one))]


def is_pushed(provider: Provider) -> bool:
    """Whether the provider's vendor calls webhooks."""
    try:
        return gateway_class(provider.gateway).pushes
    except ImproperlyConfigured:
        return False


def site_of(given: str | None) -> str:
    """The base URL of the site: as given, else from ALLOWED_HOSTS; raises CommandError."""
    if given:
        if not given.startswith(("https://", "http://")):
            raise CommandError(f"Write the site as https://{given}")
        return given.rstrip("/")
    if site := public_site():
        return site
    raise CommandError("ALLOWED_HOSTS names no host: say where the site is with --site https://www.example.com")


def change_secret(provider: Provider, *, rotate: bool, retire: bool) -> None:
    """Retires the previous secret, or creates a new one; raises CommandError while an older one is valid."""
    if retire:
        provider.retire_webhook_secret()
    if rotate:
        try:
            provider.rotate_webhook_secret()
        except ValueError as error:
            raise CommandError(f"{error} (--retire, once the vendor calls the new address)") from None


def path_of(provider: Provider) -> str:
    """The path of the webhook, with its secret; raises CommandError when the URLs are not included."""
    try:
        return provider.webhook_path
    except NoReverseMatch:
        raise CommandError('Include the URLs: path("sms/", include("django_smsverify.urls"))') from None


def last_report(provider: Provider) -> str:
    """When the vendor last pushed a report, and how many of the newest reports match no message."""
    # Search the newest only: without any push, the search would read millions of reports.
    newest = DeliveryReport.objects.filter(provider=provider).order_by("-received_at")[:NEWEST]
    reports = list(newest.values_list("source", "received_at", "message"))
    pushed = [moment for source, moment, _ in reports if source == ReportSource.PUSH]
    unknown = sum(message is None for *_, message in reports)
    when = "no report was ever pushed" if len(reports) < NEWEST else f"none of the last {NEWEST} reports was pushed"
    if pushed:
        moment = timezone.localtime(pushed[0]) if settings.USE_TZ else pushed[0]
        when = f"last report pushed at {moment:%Y-%m-%d %H:%M:%S}"
    return f"{when}; {unknown} of the last {len(reports)} about unknown messages" if unknown else when
