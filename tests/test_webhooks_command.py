"""smsverify_webhooks, as an operator runs it: addresses, a test through the front door, and new secrets."""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

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


def order(*args: str) -> tuple[str, str]:
    """What the command says, and why it fails; empty when it does not."""
    out = io.StringIO()
    try:
        call_command("smsverify_webhooks", *args, stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


def webhooks(*args: str) -> str:
    said, failure = order(*args)
    assert failure == ""
    return said


def refused(*args: str) -> str:
    said, failure = order(*args)
    assert (said, bool(failure)) == ("", True)
    return failure


def secrets_of(provider: Provider) -> tuple[str, str]:
    provider.refresh_from_db()
    return provider.webhook_secret, provider.previous_webhook_secret


def printed(said: str) -> dict[str, str]:
    """Slug to URL."""
    return dict(re.findall(r"^(\S+) +(https?://\S+)$", said, re.MULTILINE))


# ----------------------------------------------------------------------------------------- addresses


def test_prints_what_each_vendor_that_pushes_must_be_told(vendor: MakeProvider, memory: MakeProvider) -> None:
    providers = [vendor(name) for name in ("topthink", "veesing", "apispace", "ihuyi", "qixuntong")]
    memory()
    secrets = {provider.slug: provider.webhook_secret for provider in providers}

    said = printed(webhooks())

    base = "https://www.example.com/sms/webhooks"
    assert said == {slug: f"{base}/{slug}/{secrets[slug]}/" for slug in ("topthink", "veesing", "ihuyi")}


@pytest.mark.parametrize("gateway", ["apispace", "qixuntong", "ihuyi"])
def test_prints_whatever_is_named_and_nothing_else(gateway: str, vendor: MakeProvider) -> None:
    vendor("topthink")
    provider = vendor(gateway, slug="named")

    assert printed(webhooks("named")) == {
        "named": f"https://www.example.com/sms/webhooks/named/{provider.webhook_secret}/"
    }


def test_a_provider_whose_gateway_is_gone_is_in_nobodys_way(vendor: MakeProvider) -> None:
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
def test_the_site_is_the_first_that_the_settings_name_and_vendors_can_reach(
    hosts: list[str], site: str, vendor: MakeProvider
) -> None:
    vendor("ihuyi")

    with override_settings(ALLOWED_HOSTS=hosts):
        (url,) = printed(webhooks()).values()

    assert url.startswith(f"{site}/sms/webhooks/ihuyi/")


@pytest.mark.parametrize("hosts", [["*"], [], [".*"]])
def test_a_site_that_no_setting_names_is_asked_for(hosts: list[str], vendor: MakeProvider) -> None:
    before = secrets_of(provider := vendor("ihuyi"))

    with override_settings(ALLOWED_HOSTS=hosts):
        said = refused("ihuyi", "--rotate")

    assert said == "ALLOWED_HOSTS names no host: say where the site is with --site https://www.example.com"
    assert secrets_of(provider) == before, "an address that nobody saw is of no use"


@pytest.mark.parametrize("site", ["https://sms.example.org", "https://sms.example.org/", "http://10.0.0.5:8000"])
def test_the_site_can_be_given(site: str, vendor: MakeProvider) -> None:
    vendor("ihuyi")

    (url,) = printed(webhooks("--site", site)).values()

    assert url.startswith(f"{site.rstrip('/')}/sms/webhooks/ihuyi/")


def test_a_site_without_its_scheme_is_corrected(vendor: MakeProvider) -> None:
    vendor("ihuyi")

    assert refused("--site", "www.example.org") == "Write the site as https://www.example.org"


def test_a_slip_of_the_pen_is_answered_with_what_there_is(vendor: MakeProvider) -> None:
    assert refused("ihuy") == "There is no provider ihuy; there are: none."

    vendor("ihuyi")
    vendor("apispace")

    assert refused("ihuyi", "ihuy") == "There is no provider ihuy; there are: apispace, ihuyi."


@pytest.mark.parametrize("change", [[], ["--rotate"]])
def test_a_site_that_does_not_include_the_urls_is_told_how(change: list[str], vendor: MakeProvider) -> None:
    before = secrets_of(provider := vendor("ihuyi"))

    with override_settings(ROOT_URLCONF="rest_framework.urls"):
        said = refused("ihuyi", *change)

    assert said == 'Include the URLs: path("sms/", include("django_smsverify.urls"))'
    assert secrets_of(provider) == before, "an address that nobody saw is of no use"


def report(provider: Provider, **fields: Any) -> None:
    facts = {"provider": provider, "phone": PHONE, "remote_id": "1", "outcome": "delivered", "source": "push"}
    DeliveryReport.objects.create(fingerprint=str(DeliveryReport.objects.count()), **{**facts, **fields})


def test_says_when_a_vendor_was_last_heard(vendor: MakeProvider) -> None:
    silent, loud = vendor("ihuyi", slug="silent"), vendor("ihuyi", slug="loud")
    report(silent, source="poll")
    for day in (2, 1):
        report(loud, received_at=datetime(2026, 1, day, 8, 0, tzinfo=UTC))

    heard = dict(zip(printed(said := webhooks()), said.splitlines()[1::2], strict=True))

    assert {slug: line.strip() for slug, line in heard.items()} == {
        "silent": "no report was ever pushed; 1 of the last 1 about unknown messages",
        "loud": "last report pushed at 2026-01-02 16:00:00; 2 of the last 2 about unknown messages",
    }


def test_looks_through_the_newest_reports_only(vendor: MakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smsverify_webhooks, "NEWEST", 2)
    provider = vendor("ihuyi")
    for day, source in enumerate(("push", "poll", "poll"), 1):
        report(provider, source=source, received_at=datetime(2026, 1, day, 8, 0, tzinfo=UTC))

    said = webhooks().splitlines()[1].strip()

    assert said == "none of the last 2 reports was pushed; 2 of the last 2 about unknown messages"


def test_a_vendor_of_whom_all_is_known_is_said_no_more_of(vendor: MakeProvider) -> None:
    provider = vendor("ihuyi")
    report(provider, message=sent(provider, "1"), received_at=datetime(2026, 1, 2, 8, 0, tzinfo=UTC))

    assert webhooks().splitlines()[1].strip() == "last report pushed at 2026-01-02 16:00:00"


def test_a_site_without_time_zones_reads_its_own_time(vendor: MakeProvider) -> None:
    provider = vendor("ihuyi")

    with override_settings(USE_TZ=False):
        report(provider, received_at=datetime(2026, 1, 2, 16, 0))

        assert "last report pushed at 2026-01-02 16:00:00;" in webhooks()


# --------------------------------------------------------------------------------- through the front door


def test_a_test_push_goes_through_and_stores_nothing(vendor: MakeProvider, site: Site, log: LogRecorder) -> None:
    providers = [vendor(name) for name in ("topthink", "veesing", "ihuyi")]
    before = everything()

    said = webhooks("--site", site.url, "--test")

    assert said.count("the test push went through") == 3
    assert everything() == before
    for provider in providers:
        assert provider.webhook_secret in said
        assert provider.webhook_secret not in log.text


def test_a_vendor_that_pushes_nothing_can_be_tested_by_its_name(vendor: MakeProvider, site: Site) -> None:
    vendor("apispace")

    assert "the test push went through" in webhooks("apispace", "--site", site.url, "--test")


def test_one_that_fails_keeps_no_other_from_being_tested(vendor: MakeProvider, site: Site, log: LogRecorder) -> None:
    broken = vendor("ihuyi", slug="broken")
    Provider.objects.update(gateway="gone")
    vendor("veesing")

    said, failure = order("broken", "veesing", "--site", site.url, "--test")

    assert failure == "No push gets through to: broken"
    assert "HTTP 500: look into the site's log" in said
    assert "the test push went through" in said
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
def test_what_keeps_a_push_out_is_told_with_what_to_do(status: int, vendor: MakeProvider, log: LogRecorder) -> None:
    provider = vendor("ihuyi")
    body = "" if status == 204 else "success, or so they say"

    with Vendor(body, ("Location", "/elsewhere/"), status=status) as stranger:
        said, failure = order("--site", stranger.url, "--test")

    assert failure == "No push gets through to: ihuyi"
    assert said.splitlines()[-1].strip() == f"HTTP {status}: {HINTS[status]}"
    (call,) = stranger.received
    assert (call.line.split()[0], call.body) == ("POST", "smsverify=test"), "and no redirect is followed"
    assert provider.webhook_secret not in log.text


def test_a_site_that_does_not_answer_to_this_name_is_told(vendor: MakeProvider, site: Site, log: LogRecorder) -> None:
    provider = vendor("ihuyi")

    with override_settings(ALLOWED_HOSTS=["www.example.com"]):
        said, failure = order("--site", site.url, "--test")

    assert failure == "No push gets through to: ihuyi"
    assert said.splitlines()[-1].strip() == f"HTTP 400: {HINTS[403]}"
    assert provider.webhook_secret not in log.text


@contextmanager
def nobody_at_home() -> Iterator[str]:
    """The URL of a port on which nobody listens, and nobody else can."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_a_site_that_is_down_is_told(vendor: MakeProvider, log: LogRecorder) -> None:
    provider = vendor("ihuyi")

    with nobody_at_home() as url:
        said, failure = order("--site", url, "--test")

    assert failure == "No push gets through to: ihuyi"
    assert said.splitlines()[-1].strip().startswith("127.0.0.1 could not be reached (")
    assert said.endswith("): is the site up, and its name public?\n")
    assert provider.webhook_secret not in log.text


def test_a_site_that_hangs_up_is_told(vendor: MakeProvider, log: LogRecorder) -> None:
    provider = vendor("ihuyi")

    with Vendor("success", promised=100, hang_up=True) as stranger:
        said, failure = order("--site", stranger.url, "--test")

    assert failure == "No push gets through to: ihuyi"
    assert "is the site up" in said
    assert provider.webhook_secret not in log.text


# ---------------------------------------------------------------------------------------- new secrets


def test_a_rotated_secret_is_printed_and_the_old_one_works_on(vendor: MakeProvider, site: Site) -> None:
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

    assert refused("ihuyi", "--rotate") == (
        "The previous webhook secret of ihuyi still works: retire it first. "
        "(--retire, once the vendor calls the new address)"
    )

    assert secrets_of(provider) == before


def test_what_was_rotated_before_a_refusal_is_printed(vendor: MakeProvider) -> None:
    rotated, waiting = vendor("ihuyi"), vendor("veesing")
    webhooks("veesing", "--rotate")
    before = secrets_of(waiting)

    said, failure = order("ihuyi", "veesing", "--rotate")

    assert "The previous webhook secret of veesing still works" in failure
    assert rotated.webhook_secret not in said
    assert secrets_of(rotated)[0] in said
    assert secrets_of(waiting) == before


def test_a_retired_secret_works_no_more(vendor: MakeProvider, site: Site) -> None:
    caller, provider = Caller(site), vendor("ihuyi")
    old = provider.webhook_secret
    webhooks("ihuyi", "--rotate")
    new, _ = secrets_of(provider)

    assert printed(webhooks("ihuyi", "--retire", "--site", site.url)) == {"ihuyi": caller.url(provider, new)}

    assert secrets_of(provider) == (new, "")
    assert status_and_text(caller.push(provider, ihuyi_report(), secret=old))[0] == 404
    assert status_and_text(caller.push(provider, ihuyi_report(), secret=new)) == (200, "success")


def test_retiring_and_rotating_at_once_leaves_the_two_newest(vendor: MakeProvider) -> None:
    provider = vendor("ihuyi")
    webhooks("ihuyi", "--rotate")
    second, _ = secrets_of(provider)

    webhooks("ihuyi", "--retire", "--rotate")

    third, previous = secrets_of(provider)
    assert previous == second != third


def test_a_new_secret_can_be_tested_at_once(vendor: MakeProvider, site: Site, log: LogRecorder) -> None:
    provider = vendor("ihuyi")

    said = webhooks("ihuyi", "--rotate", "--test", "--site", site.url)

    assert "the test push went through" in said
    for secret in secrets_of(provider):
        assert secret not in log.text


@pytest.mark.parametrize("change", ["--rotate", "--retire"])
def test_no_secret_changes_by_mistake(change: str, vendor: MakeProvider) -> None:
    provider = vendor("ihuyi")
    webhooks("ihuyi", "--rotate")
    before = secrets_of(provider)

    assert refused(change) == "Name the providers whose secrets are to change."
    assert secrets_of(provider) == before
