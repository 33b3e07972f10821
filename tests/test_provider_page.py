"""The page of a provider and its row in the list: state, what lacks, and buttons for those who may press them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import reverse
from sandbox.server import Fault, Sandbox

from django_smsverify.conf import conf
from django_smsverify.enums import (
    Carrier,
    Cause,
    DeliveryOutcome,
    FilingStatus,
    MessageStatus,
    Reason,
    ReportSource,
    ReviewStatus,
)
from django_smsverify.models import CarrierFiling, DeliveryReport, JobRun, Message, Provider, Signature, Template
from django_smsverify.models.gateway_classes import gateway_class
from django_smsverify.operations.job_runs import POLL, noted
from django_smsverify.sending import circuits, send_code
from django_smsverify.sending.circuits import Way

from .conftest import PHONE, LogRecorder, MakeProvider, Site
from .test_admin import LANGUAGES, SECRET, filled_in, page
from .test_admin_destinations import staff
from .test_doctor import READY, fill
from .test_webhooks import ihuyi_report

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/smsverify/provider/"
CHANGES = ("switch_on", "switch_off", "ask_balance", "close_circuits")
OF_CREDENTIALS = ("rotate_secret", "retire_secret")


@pytest.fixture(autouse=True)
def _polled() -> Iterator[None]:
    with noted(POLL):
        pass
    with override_settings(SMSVERIFY=READY):
        yield


def url_of(provider: Provider, act: str) -> str:
    return reverse(f"admin:smsverify_provider_{act}", args=[provider.pk])


def press(client: Client, provider: Provider, act: str, **headers: str) -> str:
    """What the page shows after a button was pressed."""
    response = client.post(url_of(provider, act), follow=True, headers={"accept-language": "en", **headers})
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def reported(provider: Provider, source: ReportSource) -> None:
    DeliveryReport.objects.create(
        provider=provider,
        remote_id="1",
        phone=PHONE,
        outcome=DeliveryOutcome.DELIVERED,
        source=source,
        fingerprint=uuid4(),
    )


def shown(client: Client, url: str, language: str = "en") -> str:
    response = client.get(url, headers={"accept-language": language})
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def badges(text: str) -> list[tuple[str, str]]:
    """Tone and words of each."""
    return re.findall(r'<span class="smsverify-state (\w+)">(.*?)</span>', text)


class TestState:
    def test_a_gateway_that_refused_eight_of_eight_is_bad_in_the_list_and_on_its_page(
        self, vendor: MakeProvider, admin_client: Client
    ) -> None:
        provider = vendor("ihuyi")
        fill(provider, 8, MessageStatus.NOT_SENT, error_reason=Reason.CONTENT)

        for url in (LIST, page(provider, "change")):
            assert badges(shown(admin_client, url))[0] == ("bad", "fails: 8 of 8 SMS")
        text = shown(admin_client, page(provider, "change"))
        assert "The provider itself lacks something: see above." in text
        assert "8 of 8 SMS failed (100 %), most often: content" in text

    @pytest.mark.parametrize(
        ("fields", "badge"),
        [
            ({}, ("quiet", "no SMS in the last hour")),
            ({"is_active": False}, ("quiet", "switched off")),
            ({"balance": 0}, ("bad", "nothing left")),
            ({"balance": 3, "balance_alert": 5}, ("warn", "balance low")),
            ({"gateway": "gone"}, ("bad", "no usable keys")),
        ],
    )
    def test_what_the_row_tells(
        self, fields: dict[str, Any], badge: tuple[str, str], memory: MakeProvider, admin_client: Client
    ) -> None:
        memory()
        Provider.objects.update(**fields)

        assert badges(shown(admin_client, LIST)) == [badge]

    def test_a_provider_that_works_and_one_whose_circuit_is_open(
        self, memory: MakeProvider, admin_client: Client
    ) -> None:
        one, two = memory(slug="one"), memory(slug="two")
        fill(one, 4, MessageStatus.DELIVERED)
        circuits.open_by_reports(two, Way(two.pk), Cause.ROUTE_FAULT, "down")

        assert badges(shown(admin_client, LIST)) == [("good", "works: 4 SMS in the last hour"), ("bad", "circuit open")]
        circuits.close(two)
        circuits.open_by_reports(two, Way(two.pk, Carrier.TELECOM), Cause.ROUTE_FAULT, "down")
        assert badges(shown(admin_client, LIST))[1] == ("warn", "circuit open: China Telecom")

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_the_page_has_what_lacks_texts_and_filings(
        self, language: str, vendor: MakeProvider, admin_client: Client
    ) -> None:
        provider = vendor("ihuyi", "login", "payment")
        Template.objects.filter(purpose="payment").update(status=ReviewStatus.DRAFT)
        signature = Signature.objects.get()
        CarrierFiling.objects.create(signature=signature, carrier=Carrier.TELECOM, status=FilingStatus.UNFILED)

        text = shown(admin_client, page(provider, "change"), language)

        links = [page(signature, "change"), *(page(one, "change") for one in Template.objects.all())]
        assert all(f'<a href="{link}">' in text for link in links)
        assert f"{page(Signature, 'add')}?provider={provider.pk}" in text
        assert f"{page(Template, 'add')}?provider={provider.pk}" in text
        if language == "en":
            assert ("good", "ready") in badges(text)
            assert ("bad", "no code goes out") in badges(text)
            assert text.count("China Telecom: not filed") == 3

    def test_a_form_with_errors_tells_the_stored_state(self, memory: MakeProvider, admin_client: Client) -> None:
        provider = memory()

        response = admin_client.post(page(provider, "change"), {"name": "", "slug": "x", "gateway": "memory"})

        assert response.status_code == 200
        assert response.context["stored"].is_active

    def test_a_new_provider_has_no_panel(self, admin_client: Client) -> None:
        assert "smsverify-panel" not in shown(admin_client, f"{page(Provider, 'add')}?gateway=ihuyi")

    def test_a_list_of_many_costs_no_query_for_each(
        self, memory: MakeProvider, admin_client: Client, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(5):
            fill(memory(slug=f"m{number}"), 2, MessageStatus.DELIVERED)

        with django_assert_max_num_queries(8):
            admin_client.get(LIST)


class TestSwitching:
    def test_one_click_in_the_list_switches_off_and_says_what_follows(
        self, memory: MakeProvider, admin_client: Client
    ) -> None:
        provider = memory("login", "payment")
        memory("payment", slug="other")
        assert f'formaction="{url_of(provider, "switch_off")}"' in shown(admin_client, LIST)

        text = press(admin_client, provider, "switch_off", referer=f"http://testserver{LIST}?gateway=memory")

        assert "is switched off: nothing is sent by it any more." in text
        assert "It was the last provider for login: nobody gets a code for that now." in text
        assert not Provider.objects.get(slug="memory").is_active
        assert [entry.change_message for entry in LogEntry.objects.all()] == ["Switched off."]

    def test_it_leads_back_to_where_it_was_pressed_and_to_no_other_site(
        self, memory: MakeProvider, admin_client: Client
    ) -> None:
        provider = memory()
        there = {
            f"http://testserver{LIST}?gateway=memory": f"{LIST}?gateway=memory",
            f"http://testserver{page(provider, 'change')}": page(provider, "change"),
            "https://attacker.example/": page(provider, "change"),
            f"https://attacker.example{LIST}": LIST,
        }
        for referer, back in there.items():
            answer = admin_client.post(url_of(provider, "switch_off"), headers={"referer": referer})
            assert answer["Location"] == back

    def test_the_next_code_goes_elsewhere_at_once(self, memory: MakeProvider, admin_client: Client) -> None:
        first, second = memory(slug="first", priority=1), memory(slug="second", priority=2)
        send_code("13900139000", "login")
        press(admin_client, first, "switch_off")

        send_code(PHONE, "login")

        assert Message.objects.get(phone=PHONE).provider == second

    def test_switched_on_it_says_whether_codes_go_out(self, memory: MakeProvider, admin_client: Client) -> None:
        provider = memory(is_active=False)
        assert "It sends no codes yet" not in press(admin_client, provider, "switch_on")
        Provider.objects.update(is_active=False)
        Template.objects.update(status=ReviewStatus.DRAFT)

        assert "It sends no codes yet" in press(admin_client, provider, "switch_on")

    def test_it_is_logged_once(self, memory: MakeProvider, admin_client: Client) -> None:
        provider = memory()
        for _ in range(2):
            press(admin_client, provider, "switch_off")

        assert LogEntry.objects.count() == 1


class TestPermissions:
    @pytest.mark.parametrize("act", [*CHANGES, *OF_CREDENTIALS, "test_push"])
    def test_a_button_is_a_post_with_a_token_by_who_may(self, act: str, vendor: MakeProvider, client: Client) -> None:
        provider = vendor("ihuyi")
        before = Provider.objects.values().get()
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(User.objects.create_superuser("chief"))
        assert strict.post(url_of(provider, act)).status_code == 403, "without a token"
        assert strict.get(url_of(provider, act)).status_code == 405
        assert client.post(url_of(provider, act)).status_code == 302, "to the login"
        client.force_login(staff("view_provider", "view_message"))
        assert client.post(url_of(provider, act)).status_code == 403

        assert Provider.objects.values().get() == before
        text = shown(client, page(provider, "change")) + shown(client, LIST)
        assert url_of(provider, act) not in text

    @pytest.mark.parametrize("act", OF_CREDENTIALS)
    def test_who_may_change_a_provider_may_not_change_the_secret_of_its_webhook(
        self, act: str, vendor: MakeProvider, client: Client
    ) -> None:
        provider = vendor("ihuyi")
        client.force_login(staff("view_provider", "change_provider"))

        assert client.post(url_of(provider, act)).status_code == 403

    def test_a_provider_that_does_not_exist(self, admin_client: Client) -> None:
        assert admin_client.post(reverse("admin:smsverify_provider_switch_off", args=[4711])).status_code == 404


class TestButtons:
    def test_the_balance(self, vendor: MakeProvider, admin_client: Client, sandbox: Sandbox) -> None:
        provider = vendor("ihuyi")
        assert "not known yet" in shown(admin_client, page(provider, "change"))

        text = press(admin_client, provider, "ask_balance")

        provider.refresh_from_db()
        assert provider.balance == sandbox.credits("ihuyi")
        assert "not known yet" not in text

    def test_a_balance_that_the_vendor_does_not_tell(
        self, vendor: MakeProvider, admin_client: Client, sandbox: Sandbox
    ) -> None:
        provider = vendor("ihuyi")
        sandbox.misbehave("ihuyi", Fault.status(500))

        assert '<li class="error">' in press(admin_client, provider, "ask_balance")

    @pytest.mark.parametrize(("carrier", "badge"), [(Carrier.TELECOM, ("warn", "look at it")), ("", ("bad", "wrong"))])
    def test_an_open_circuit_is_judged_alike_on_the_overview(
        self, carrier: str, badge: tuple[str, str], memory: MakeProvider, admin_client: Client
    ) -> None:
        provider = memory()
        circuits.open_by_reports(provider, Way(provider.pk, carrier), Cause.ROUTE_FAULT, "down")

        for url in (reverse("admin:smsverify_overview"), page(provider, "change")):
            text = shown(admin_client, url)
            (item,) = [one for one in re.findall(r"<li>.*?</li>", text, re.DOTALL) if "press “Use it again”" in one]
            assert badges(item) == [badge]
            assert re.search(
                rf'action="{url_of(provider, "close_circuits")}".*?>Use it again</button>', text, re.DOTALL
            )

    def test_circuits(self, memory: MakeProvider, admin_client: Client) -> None:
        provider = memory()
        assert url_of(provider, "close_circuits") not in shown(admin_client, page(provider, "change"))
        circuits.open_by_reports(provider, Way(provider.pk), Cause.ROUTE_FAULT, "down")
        assert url_of(provider, "close_circuits") in shown(admin_client, page(provider, "change"))

        assert "none is open" in press(admin_client, provider, "close_circuits")
        assert circuits.open_circuits([provider.pk]) == {}

    def test_the_secret_is_renewed_and_retired(self, vendor: MakeProvider, admin_client: Client) -> None:
        provider = vendor("ihuyi")
        old = provider.webhook_secret

        assert "has a new address now; the one before works on. Register the new one" in press(
            admin_client, provider, "rotate_secret"
        )

        provider.refresh_from_db()
        assert (provider.previous_webhook_secret, provider.webhook_secret != old) == (old, True)
        assert "retire it first" in press(admin_client, provider, "rotate_secret")
        press(admin_client, provider, "retire_secret")
        provider.refresh_from_db()
        assert provider.previous_webhook_secret == ""
        log = [entry.change_message for entry in LogEntry.objects.order_by("pk")]
        assert log == ["New webhook secret.", "Previous webhook secret retired."]


class TestWebhook:
    def test_the_whole_address_is_for_who_may_change_credentials(self, vendor: MakeProvider, client: Client) -> None:
        provider = vendor("ihuyi")
        user = staff("view_provider", "change_provider")
        client.force_login(user)
        with override_settings(ALLOWED_HOSTS=["www.example.com", "testserver"]):
            text = shown(client, page(provider, "change"))
            assert provider.webhook_secret not in text
            assert "/sms/webhooks/ihuyi/…/" in text
            client.force_login(staff("view_provider", "change_credentials", username="keeper"))
            text = shown(client, page(provider, "change"))

        assert f'value="https://www.example.com/sms/webhooks/ihuyi/{provider.webhook_secret}/"' in text
        assert 'data-smsverify-copy="smsverify-webhook"' in text

    def test_a_test_push_goes_through_the_site_as_the_vendor_s_would(
        self, vendor: MakeProvider, site: Site, admin_client: Client, log: LogRecorder
    ) -> None:
        provider = vendor("ihuyi")
        host = site.url.removeprefix("http://")

        with override_settings(ALLOWED_HOSTS=["localhost"]):
            text = press(admin_client, provider, "test_push", host=host)

        assert "The test push to ihuyi went through: calls reach this site." in text
        assert re.search(r"A test push of our own arrived at [-0-9: ]+, so calls come through\.", text)
        assert "Now register the address of the webhook with the vendor" in text
        assert "press “Send a test push”" not in text
        assert provider.webhook_secret not in log.text

    def test_a_test_push_that_does_not_go_through(
        self, vendor: MakeProvider, admin_client: Client, closed_port: int
    ) -> None:
        provider = vendor("ihuyi")

        with override_settings(ALLOWED_HOSTS=["localhost"]):
            text = press(admin_client, provider, "test_push", host=f"localhost:{closed_port}")

        assert "The test push to ihuyi did not go through: " in text
        assert "is the site up, and its name public?" in text

    def test_no_host_that_only_the_request_names_is_told_the_secret(
        self, vendor: MakeProvider, admin_client: Client
    ) -> None:
        provider = vendor("ihuyi")

        with override_settings(ALLOWED_HOSTS=["*"]):
            text = press(admin_client, provider, "test_push", host="attacker.example")

        assert "ALLOWED_HOSTS names no host." in text

    def test_what_the_poll_asked_for_is_no_push(self, vendor: MakeProvider, admin_client: Client) -> None:
        provider = vendor("ihuyi")
        reported(provider, ReportSource.POLL)
        text = shown(admin_client, page(provider, "change"))
        assert "No report was pushed: the last ones were asked for by the poll." in text
        assert "smsverify_webhooks" not in text, "an operator has no shell"

        reported(provider, ReportSource.PUSH)
        reported(provider, ReportSource.POLL)
        assert "No report was pushed" not in shown(admin_client, page(provider, "change"))

    @pytest.mark.parametrize(
        ("gateway", "words"),
        [
            ("apispace", "this vendor does not push: its reports are fetched by the poll"),
            ("qixuntong", "this vendor does not push, and tells nobody what became of an SMS"),
            ("topthink", "Where it is registered: 我的服务 → 短信服务 → 发信设置"),
        ],
    )
    def test_where_it_is_registered_or_that_it_is_not(
        self, gateway: str, words: str, vendor: MakeProvider, admin_client: Client
    ) -> None:
        assert words in shown(admin_client, page(vendor(gateway), "change"))

    def test_it_is_told_whether_the_vendor_calls_the_new_address(
        self, vendor: MakeProvider, admin_client: Client
    ) -> None:
        provider, form = vendor("ihuyi"), "application/x-www-form-urlencoded"
        press(admin_client, provider, "rotate_secret")
        provider.refresh_from_db()
        url = page(provider, "change")
        assert "The vendor has called neither address since the new one was made." in shown(admin_client, url)

        for secret, words in (
            (provider.previous_webhook_secret, "The vendor has not called the new address yet, and the previous one"),
            (provider.webhook_secret, "The vendor called the new address last at"),
        ):
            path = reverse("smsverify:webhook", args=[provider.slug, secret])
            admin_client.post(path, "smsverify=test", content_type=form)
            assert words not in shown(admin_client, url), "a test push is none of the vendor's"
            assert admin_client.post(path, ihuyi_report().decode(), content_type=form).status_code == 200
            assert words in shown(admin_client, url)
        assert "no push came by the new address yet" not in press(admin_client, provider, "retire_secret")

    def test_to_retire_what_the_vendor_still_calls_is_warned_of(
        self, vendor: MakeProvider, admin_client: Client
    ) -> None:
        provider = vendor("topthink")
        press(admin_client, provider, "rotate_secret")

        assert "no push came by the new address yet" in press(admin_client, provider, "retire_secret")

    def test_the_option_of_the_gateway_names_the_host(self, vendor: MakeProvider, admin_client: Client) -> None:
        provider = vendor("twilio", options={"public_url": "https://sms.example.com/"})

        text = shown(admin_client, page(provider, "change"))

        assert f'value="https://sms.example.com/sms/webhooks/twilio/{provider.webhook_secret}/"' in text


def test_the_page_says_that_the_poll_never_ran(memory: MakeProvider, admin_client: Client) -> None:
    JobRun.objects.all().delete()

    assert "The poll never ran" in shown(admin_client, page(memory(), "change"))


VENDORS = [alias for alias in conf.GATEWAYS if not gateway_class(alias).local]


@pytest.mark.parametrize("gateway", VENDORS)
def test_the_form_of_a_vendor_says_where_each_key_comes_from(gateway: str, admin_client: Client) -> None:
    text = shown(admin_client, f"{reverse('admin:smsverify_provider_add')}?gateway={gateway}")

    assert "From the vendor's console. They are stored encrypted" in text
    kind = gateway_class(gateway)
    assert [one.name for one in kind.credentials if not one.help_text] == []
    single = [group for group in kind.required_options if len(group) == 1]
    assert text.count("Required. ") == len(single) + len(kind.credentials)
    either = sum(len(group) for group in kind.required_options if len(group) > 1)
    assert text.count("One of these is enough: ") == either
    assert text.index('name="credential_') < text.index('name="base_url"'), "what must be entered comes first"


@pytest.mark.parametrize(("gateway", "has_webhook"), [("ihuyi", True), ("apispace", False)])
def test_a_new_provider_is_told_its_next_steps_on_its_page(
    gateway: str, has_webhook: bool, admin_client: Client
) -> None:
    answer = admin_client.post(reverse("admin:smsverify_provider_add"), filled_in(gateway, secret=SECRET))
    provider = Provider.objects.get()
    assert answer.headers["Location"] == page(provider, "change")

    text = shown(admin_client, page(provider, "change"))

    assert "What is next: 1. Press “Test”" in text
    assert ("2. Register the address that stands at “Webhook”" in text) == has_webhook
    assert "“What lacks” says when codes can go out." in text


def test_the_next_steps_are_those_that_a_user_may_do(client: Client) -> None:
    client.force_login(staff("view_provider", "add_provider", "change_provider", "change_credentials"))
    client.post(reverse("admin:smsverify_provider_add"), filled_in("apispace", secret=SECRET))

    assert "What is next: 1. “What lacks”" in shown(client, page(Provider.objects.get(), "change"))


def test_one_more_provider_can_be_added_at_once(admin_client: Client) -> None:
    fields = filled_in("ihuyi", secret=SECRET, _addanother="1")
    answer = admin_client.post(f"{reverse('admin:smsverify_provider_add')}?gateway=ihuyi", fields)

    assert answer.headers["Location"].startswith(reverse("admin:smsverify_provider_add"))


def test_who_may_add_and_see_nothing_is_led_to_no_closed_page(client: Client) -> None:
    client.force_login(staff("add_provider", "change_credentials"))
    answer = client.post(reverse("admin:smsverify_provider_add"), filled_in("ihuyi", secret=SECRET))

    assert answer.headers["Location"] != page(Provider.objects.get(), "change")
    assert client.get(answer.headers["Location"]).status_code == 200


def test_a_new_provider_has_a_slug_that_is_free(memory: MakeProvider, admin_client: Client) -> None:
    memory(slug="aliyun")
    memory(slug="aliyun-3")
    add = reverse("admin:smsverify_provider_add")

    for gateway, slug in (("tencent", "tencent"), ("aliyun", "aliyun-2")):
        assert admin_client.get(add, {"gateway": gateway}).context["adminform"].form["slug"].value() == slug
