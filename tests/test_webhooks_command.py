"""smsverify_webhooks: the URLs that it prints, test pushes, and new secrets."""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from django_smsverify.management.commands import smsverify_webhooks
from django_smsverify.models import DeliveryReport, Provider

from .conftest import PHONE, LogRecorder, MakeProvider, Site
from .gateways.support import Vendor
from .test_webhooks import Caller, everything, ihuyi_report, sent, status_and_text

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _public() -> Iterator[None]:
    with override_settings(ALLOWED_HOSTS=["www.example.com", "localhost"]):
        yield


def run(*args: str) -> tuple[str, str]:
    """The output of the command, and its error, which is empty when it succeeds."""
    out = io.StringIO()
    try:
        call_command("smsverify_webhooks", *args, stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


def webhooks(*args: str) -> str:
    output, failure = run(*args)
    assert failure == ""
    return output


def error_of(*args: str) -> str:
    output, failure = run(*args)
    assert (output, bool(failure)) == ("", True)
    return failure


def secrets_of(provider: Provider) -> tuple[str, str]:
    provider.refresh_from_db()
    return provider.webhook_secret, provider.previous_webhook_secret


def printed(output: str) -> dict[str, str]:
    """Slug to URL."""
    return dict(re.findall(r"^(\S+) +(https?://\S+)$", output, re.MULTILINE))


# ----------------------------------------------------------------------------------------- URLs


def test_prints_the_url_for_each_vendor_that_pushes(vendor: MakeProvider, memory: MakeProvider) -> None:
    providers = [vendor(name) for name in ("topthink", "veesing", "apispace", "ihuyi", "qixuntong")]
    memory()
    secrets = {provider.slug: provider.webhook_secret for provider in providers}

    output = printed(webhooks())

    base = "https://www.example.com/sms/webhooks"
    assert output == {slug: f"{base}/{slug}/{secrets[slug]}/" for slug in ("topthink", "veesing", "ihuyi")}


@pytest.mark.parametrize("gateway", ["apispace", "qixuntong", "ihuyi"])
def test_prints_only_the_provider_that_is_named(gateway: str, vendor: MakeProvider) -> None:
    vendor("topthink")
    provider = vendor(gateway, slug="named")

    assert printed(webhooks("named")) == {
        "named": f"https://www.example.com/sms/webhooks/named/{provider.webhook_secret}/"
    }


def test_a_provider_with_a_missing_gateway_does_not_stop_the_others(vendor: MakeProvider) -> None:
    vendor("ihuyi", slug="lost")
    Provider.objects.update(gateway="gone")
    vendor("veesing")

    assert set(printed(webhooks())) == {"veesing"}
    assert set(printed(webhooks("lost"))) == {"lost"}


@pytest.mark.parametrize(
    ("hosts", "site"),
    [
        (["www.example.com"], "https://www.example.com"),
        (["*", "www.example.com"], "https://www.example.com"),
        ([".example.com", "www.example.org"], "https://example.com"),
        (["localhost", "127.0.0.1", "[::1]", "www.example.com"], "https://www.example.com"),
        (["localhost", "127.0.0.1"], "https://localhost"),
    ],
)
def test_the_site_is_the_first_public_allowed_host(hosts: list[str], site: str, vendor: MakeProvider) -> None:
    vendor("ihuyi")

    with override_settings(ALLOWED_HOSTS=hosts):
        (url,) = printed(webhooks()).values()

    assert url.startswith(f"{site}/sms/webhooks/ihuyi/")


@pytest.mark.parametrize("hosts", [["*"], [], [".*"]])
def test_without_a_usable_allowed_host_the_site_is_required(hosts: list[str], vendor: MakeProvider) -> None:
    before = secrets_of(provider := vendor("ihuyi"))

    with override_settings(ALLOWED_HOSTS=hosts):
        output = error_of("ihuyi", "--rotate")

    assert output == "ALLOWED_HOSTS names no host: say where the site is with --site https://www.example.com"
    assert secrets_of(provider) == before, "no secret changes when no URL is printed"


@pytest.mark.parametrize("site", ["https://sms.example.org", "https://sms.example.org/", "http://10.0.0.5:8000"])
def test_the_site_can_be_given(site: str, vendor: MakeProvider) -> None:
    vendor("ihuyi")

    (url,) = printed(webhooks("--site", site)).values()

    assert url.startswith(f"{site.rstrip('/')}/sms/webhooks/ihuyi/")


def test_a_site_without_a_scheme_is_refused(vendor: MakeProvider) -> None:
    vendor("ihuyi")

    assert error_of("--site", "www.example.org") == "Write the site as https://www.example.org"


def test_an_unknown_provider_is_answered_with_the_known_ones(vendor: MakeProvider) -> None:
    assert error_of("ihuy") == "There is no provider ihuy; there are: none."

    vendor("ihuyi")
    vendor("apispace")

    assert error_of("ihuyi", "ihuy") == "There is no provider ihuy; there are: apispace, ihuyi."


@pytest.mark.parametrize("change", [[], ["--rotate"]])
def test_a_site_without_the_urls_is_shown_how_to_include_them(change: list[str], vendor: MakeProvider) -> None:
    before = secrets_of(provider := vendor("ihuyi"))

    with override_settings(ROOT_URLCONF="rest_framework.urls"):
        output = error_of("ihuyi", *change)

    assert output == 'Include the URLs: path("sms/", include("django_smsverify.urls"))'
    assert secrets_of(provider) == before, "no secret changes when no URL is printed"


def report(provider: Provider, **fields: Any) -> None:
    defaults = {"provider": provider, "phone": PHONE, "remote_id": "1", "outcome": "delivered", "source": "push"}
    DeliveryReport.objects.create(fingerprint=UUID(int=DeliveryReport.objects.count()), **{**defaults, **fields})


def test_prints_when_a_vendor_last_reported(vendor: MakeProvider) -> None:
    silent, loud = vendor("ihuyi", slug="silent"), vendor("ihuyi", slug="loud")
    report(silent, source="poll")
    for day in (2, 1):
        report(loud, received_at=datetime(2026, 1, day, 8, 0, tzinfo=UTC))

    last_reports = dict(zip(printed(output := webhooks()), output.splitlines()[1::2], strict=True))

    assert {slug: line.strip() for slug, line in last_reports.items()} == {
        "silent": "no report was ever pushed; 1 of the last 1 about unknown messages",
        "loud": "last report pushed at 2026-01-02 16:00:00; 2 of the last 2 about unknown messages",
    }


def test_only_the_newest_reports_are_counted(vendor: MakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smsverify_webhooks, "NEWEST", 2)
    provider = vendor("ihuyi")
    for day, source in enumerate(("push", "poll", "poll"), 1):
        report(provider, source=source, received_at=datetime(2026, 1, day, 8, 0, tzinfo=UTC))

    output = webhooks().splitlines()[1].strip()

    assert output == "none of the last 2 reports was pushed; 2 of the last 2 about unknown messages"


def test_unknown_messages_are_only_mentioned_when_there_are_some(vendor: MakeProvider) -> None:
    provider = vendor("ihuyi")
    report(provider, message=sent(provider, "1"), received_at=datetime(2026, 1, 2, 8, 0, tzinfo=UTC))

    assert webhooks().splitlines()[1].strip() == "last report pushed at 2026-01-02 16:00:00"


def test_a_site_without_time_zones_prints_local_time(vendor: MakeProvider) -> None:
    provider = vendor("ihuyi")

    with override_settings(USE_TZ=False):
        report(provider, received_at=datetime(2026, 1, 2, 16, 0))

        assert "last report pushed at 2026-01-02 16:00:00;" in webhooks()


# --------------------------------------------------------------------------------- test pushes


def test_a_test_push_succeeds_and_stores_nothing(vendor: MakeProvider, site: Site, log: LogRecorder) -> None:
    providers = [vendor(name) for name in ("topthink", "veesing", "ihuyi")]
    before = everything()

    output = webhooks("--site", site.url, "--test")

    assert output.count("the test push went through") == 3
    assert everything() == before
    for provider in providers:
        assert provider.webhook_secret in output
        assert provider.webhook_secret not in log.text


def test_a_vendor_that_pushes_nothing_can_be_tested_by_its_name(vendor: MakeProvider, site: Site) -> None:
    vendor("apispace")

    assert "the test push went through" in webhooks("apispace", "--site", site.url, "--test")


def test_a_failed_test_push_does_not_stop_the_others(vendor: MakeProvider, site: Site, log: LogRecorder) -> None:
    broken = vendor("ihuyi", slug="broken")
    Provider.objects.update(gateway="gone")
    vendor("veesing")

    output, failure = run("broken", "veesing", "--site", site.url, "--test")

    assert failure == "No push gets through to: broken"
    assert "HTTP 500: look into the site's log" in output
    assert "the test push went through" in output
    assert broken.webhook_secret not in log.text


HINTS = {
    200: "something else answers there: look which application serves this path",
    204: "something else answers there: look which application serves this path",
    301: "vendors follow no redirect: register the address to which it leads, or let this path through",
    302: "vendors follow no redirect: register the address to which it leads, or let this path through",
    403: "look at what stands in front (firewall, nginx, a middleware), and whether this is the right site",
    404: "look at what stands in front (firewall, nginx, a middleware), and whether this is the right site",
    500: "look into the site's log",
    502: "look into the site's log",
}


@pytest.mark.parametrize("status", HINTS)
def test_a_failed_test_push_is_explained_by_its_status(status: int, vendor: MakeProvider, log: LogRecorder) -> None:
    provider = vendor("ihuyi")
    body = "" if status == 204 else "success of another server"

    with Vendor(body, ("Location", "/elsewhere/"), status=status) as other_server:
        output, failure = run("--site", other_server.url, "--test")

    assert failure == "No push gets through to: ihuyi"
    assert output.splitlines()[-1].strip() == f"HTTP {status}: {HINTS[status]}"
    (call,) = other_server.received
    assert (call.line.split()[0], call.body) == ("POST", "smsverify=test"), "and no redirect is followed"
    assert provider.webhook_secret not in log.text


def test_a_host_that_is_not_allowed_is_reported(vendor: MakeProvider, site: Site, log: LogRecorder) -> None:
    provider = vendor("ihuyi")

    with override_settings(ALLOWED_HOSTS=["www.example.com"]):
        output, failure = run("--site", site.url, "--test")

    assert failure == "No push gets through to: ihuyi"
    assert output.splitlines()[-1].strip() == f"HTTP 400: {HINTS[403]}"
    assert provider.webhook_secret not in log.text


@contextmanager
def closed_url() -> Iterator[str]:
    """The URL of a port on which no process listens, and which no other process can use."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


def test_a_site_that_is_down_is_reported(vendor: MakeProvider, log: LogRecorder) -> None:
    provider = vendor("ihuyi")

    with closed_url() as url:
        output, failure = run("--site", url, "--test")

    assert failure == "No push gets through to: ihuyi"
    assert output.splitlines()[-1].strip().startswith("127.0.0.1 could not be reached (")
    assert output.endswith("): is the site up, and its name public?\n")
    assert provider.webhook_secret not in log.text


def test_a_broken_connection_is_reported(vendor: MakeProvider, log: LogRecorder) -> None:
    provider = vendor("ihuyi")

    with Vendor("success", promised=100, hang_up=True) as other_server:
        output, failure = run("--site", other_server.url, "--test")

    assert failure == "No push gets through to: ihuyi"
    assert "is the site up" in output
    assert provider.webhook_secret not in log.text


# ---------------------------------------------------------------------------------------- new secrets


def test_a_rotated_secret_is_printed_and_the_old_one_still_works(vendor: MakeProvider, site: Site) -> None:
    caller, provider, other = Caller(site), vendor("ihuyi"), vendor("veesing")
    old, others = provider.webhook_secret, secrets_of(other)

    (url,) = printed(webhooks("ihuyi", "--rotate", "--site", site.url)).values()

    new, previous = secrets_of(provider)
    assert (url, previous) == (caller.url(provider, new), old)
    assert new != old
    assert secrets_of(other) == others
    for secret in (old, new):
        assert status_and_text(caller.push(provider, ihuyi_report(), secret=secret)) == (200, "success")


def test_a_second_rotation_is_refused_until_the_old_secret_is_retired(vendor: MakeProvider) -> None:
    provider = vendor("ihuyi")
    webhooks("ihuyi", "--rotate")
    before = secrets_of(provider)

    assert error_of("ihuyi", "--rotate") == (
        "The previous webhook secret of ihuyi still works: retire it first. "
        "(--retire, once the vendor calls the new address)"
    )

    assert secrets_of(provider) == before


def test_secrets_rotated_before_an_error_are_printed(vendor: MakeProvider) -> None:
    rotated, waiting = vendor("ihuyi"), vendor("veesing")
    webhooks("veesing", "--rotate")
    before = secrets_of(waiting)

    output, failure = run("ihuyi", "veesing", "--rotate")

    assert "The previous webhook secret of veesing still works" in failure
    assert rotated.webhook_secret not in output
    assert secrets_of(rotated)[0] in output
    assert secrets_of(waiting) == before


def test_a_retired_secret_no_longer_works(vendor: MakeProvider, site: Site) -> None:
    caller, provider = Caller(site), vendor("ihuyi")
    old = provider.webhook_secret
    webhooks("ihuyi", "--rotate")
    new, _ = secrets_of(provider)

    assert printed(webhooks("ihuyi", "--retire", "--site", site.url)) == {"ihuyi": caller.url(provider, new)}

    assert secrets_of(provider) == (new, "")
    assert status_and_text(caller.push(provider, ihuyi_report(), secret=old))[0] == 404
    assert status_and_text(caller.push(provider, ihuyi_report(), secret=new)) == (200, "success")


def test_retiring_and_rotating_at_once_leaves_the_two_newest_secrets(vendor: MakeProvider) -> None:
    provider = vendor("ihuyi")
    webhooks("ihuyi", "--rotate")
    second, _ = secrets_of(provider)

    webhooks("ihuyi", "--retire", "--rotate")

    third, previous = secrets_of(provider)
    assert previous == second != third


def test_a_new_secret_can_be_tested_at_once(vendor: MakeProvider, site: Site, log: LogRecorder) -> None:
    provider = vendor("ihuyi")

    output = webhooks("ihuyi", "--rotate", "--test", "--site", site.url)

    assert "the test push went through" in output
    for secret in secrets_of(provider):
        assert secret not in log.text


@pytest.mark.parametrize("change", ["--rotate", "--retire"])
def test_secrets_change_only_for_named_providers(change: str, vendor: MakeProvider) -> None:
    provider = vendor("ihuyi")
    webhooks("ihuyi", "--rotate")
    before = secrets_of(provider)

    assert error_of(change) == "Name the providers whose secrets are to change."
    assert secrets_of(provider) == before
