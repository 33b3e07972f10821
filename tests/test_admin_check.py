"""The button Test on a provider's page: who may press it, what it shows, and that it sends nothing."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone
from sandbox.server import Fault, Sandbox

from django_smsverify.diagnosis import notes
from django_smsverify.diagnosis.findings import State
from django_smsverify.enums import MessageStatus
from django_smsverify.models import Message, Provider, Template
from django_smsverify.operations.doctor import Action, Kind, examine_purposes, what_to_do

from .conftest import FEW_QUICKLY, PHONE, MakeProvider
from .test_admin import LANGUAGES, filled_in, page
from .test_admin_destinations import staff
from .test_check_command import WRONG_KEYS, assert_pasteable, right
from .test_doctor import fill

pytestmark = pytest.mark.django_db(transaction=True)


CHINESE = {"accept-language": "zh-hans"}


def url_of(provider: Provider) -> str:
    return reverse("admin:smsverify_provider_test", args=[provider.pk])


def press(client: Client, provider: Provider, language: str = "en") -> Any:
    return client.post(url_of(provider), headers={"accept-language": language})


def states(response: Any) -> dict[str, str]:
    assert response.status_code == 200
    return {str(finding.subject): finding.state.value for finding in response.context["diagnosis"].findings}


@pytest.fixture
def tester(client: Client) -> Client:
    """A user who may view providers and test them, and nothing else."""
    client.force_login(staff("view_provider", "test_provider"))
    return client


@pytest.fixture
def csrf(db: None) -> Client:
    """A client whose posts need a token, as those of a browser."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("chief"))
    return client


def test_what_it_says_of_a_dead_host_is_in_the_language_of_the_page(
    vendor: MakeProvider, closed_port: int, admin_client: Client
) -> None:
    provider = vendor("topthink", base_url=f"http://127.0.0.1:{closed_port}")

    pages = [press(admin_client, provider, "zh-hans"), admin_client.get(page(provider, "change"), headers=CHINESE)]
    pages.append(admin_client.get(reverse("admin:smsverify_overview"), headers=CHINESE))

    for response in pages:
        assert "could not be reached" not in response.content.decode()
        assert "无法连接 127.0.0.1" in html.unescape(response.content.decode())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_it_shows_that_all_is_right(
    gateway: str, language: str, vendor: MakeProvider, tester: Client, sandbox: Sandbox
) -> None:
    provider = right(vendor, gateway)

    response = press(tester, provider, language)

    assert State.WRONG not in states(response).values()
    text = html.unescape(response.content.decode())
    assert f'<html lang="{language}"' in text
    assert re.search(r"(GET|POST) http://127\.0\.0\.1", text)
    assert_pasteable(text, provider.webhook_secret)
    assert sandbox.inbox.all() == ()
    assert not Message.objects.exists()


@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_it_shows_wrong_keys_and_what_to_do(gateway: str, vendor: MakeProvider, tester: Client) -> None:
    response = press(tester, vendor(gateway, credentials=WRONG_KEYS[gateway]))

    assert states(response)["keys"] == State.WRONG
    text = response.content.decode()
    assert re.search(r'Keys</th><td><span class="smsverify-state bad">wrong</span></td>', text)
    assert "Enter the keys again" in text
    assert "WRONG-KEY" not in text


def test_it_shows_a_server_that_fails(vendor: MakeProvider, tester: Client, sandbox: Sandbox) -> None:
    provider = vendor("topthink")
    sandbox.misbehave("topthink", Fault.status(500))

    assert states(press(tester, provider))["address"] == State.WRONG


def test_what_the_vendor_says_is_text_and_no_markup(vendor: MakeProvider, tester: Client, sandbox: Sandbox) -> None:
    provider = vendor("topthink")
    sandbox.judge("topthink", "template", "234", approved=False, reason=f"<script>alert()</script> {PHONE}")

    text = press(tester, provider).content.decode()

    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert PHONE[3:] not in text


@pytest.mark.parametrize("change", [{"gateway": "gone"}, {"credentials": {}}, {"base_url": "http://127.0.0.1:1"}])
def test_a_mistake_of_the_site_is_a_line(change: dict[str, Any], vendor: MakeProvider, tester: Client) -> None:
    provider = vendor("topthink")
    for name, value in change.items():
        setattr(provider, name, value)
    provider.save()

    assert State.WRONG in states(press(tester, provider)).values()


def test_lost_keys_are_a_line(vendor: MakeProvider, client: Client) -> None:
    provider = vendor("topthink")

    with override_settings(SECRET_KEY="another-secret-key-of-the-suite-0123456789"):
        client.force_login(staff("view_provider", "test_provider"))
        assert states(press(client, provider))["keys"] == State.WRONG


def test_it_changes_nothing(vendor: MakeProvider, tester: Client, sandbox: Sandbox) -> None:
    provider = vendor("topthink")
    sandbox.judge("topthink", "template", "234", approved=False)
    before = [*Provider.objects.values(), *Template.objects.values()]

    press(tester, provider)

    assert [*Provider.objects.values(), *Template.objects.values()] == before


def test_only_a_post_tests(vendor: MakeProvider, tester: Client, sandbox: Sandbox) -> None:
    provider, before = vendor("topthink"), len(sandbox.exchanges)

    for method in (tester.get, tester.head):
        assert method(url_of(provider)).status_code == 405

    assert len(sandbox.exchanges) == before


@pytest.mark.parametrize("codenames", [("view_provider",), ("view_provider", "change_provider"), ("test_provider",)])
def test_it_needs_its_permission_and_that_to_see_the_provider(
    codenames: tuple[str, ...], vendor: MakeProvider, client: Client, sandbox: Sandbox
) -> None:
    provider, before = vendor("topthink"), len(sandbox.exchanges)
    client.force_login(staff(*codenames))

    assert press(client, provider).status_code == 403

    assert len(sandbox.exchanges) == before


def test_a_visitor_must_log_in(vendor: MakeProvider, client: Client, sandbox: Sandbox) -> None:
    provider, before = vendor("topthink"), len(sandbox.exchanges)

    response = press(client, provider)

    assert response.status_code == 302
    assert "/login/" in response["Location"]
    assert len(sandbox.exchanges) == before


def test_a_provider_that_does_not_exist(vendor: MakeProvider, tester: Client) -> None:
    provider = vendor("topthink")
    provider.pk += 1

    assert press(tester, provider).status_code == 404


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_button_works_as_a_browser_presses_it(language: str, vendor: MakeProvider, csrf: Client) -> None:
    provider = vendor("topthink")
    headers = {"accept-language": language}
    shown = csrf.get(page(provider, "change"), headers=headers).content.decode()
    (form,) = re.findall(rf'<form method="post" action="{url_of(provider)}">.*?</form>', shown, re.DOTALL)
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form)

    assert csrf.post(url_of(provider), headers=headers).status_code == 403
    tested = csrf.post(url_of(provider), {"csrfmiddlewaretoken": token}, headers=headers)

    assert states(tested)
    assert url_of(provider) in tested.content.decode(), "it can be pressed again"


@pytest.mark.parametrize(
    ("codenames", "is_shown"), [(("view_provider",), False), (("view_provider", "test_provider"), True)]
)
def test_the_button_is_shown_to_whom_may_press_it(
    codenames: tuple[str, ...], is_shown: bool, vendor: MakeProvider, client: Client
) -> None:
    provider = vendor("topthink")
    client.force_login(staff(*codenames))

    assert (url_of(provider) in client.get(page(provider, "change")).content.decode()) == is_shown


def test_there_is_no_button_before_there_is_a_provider(csrf: Client) -> None:
    response = csrf.get(reverse("admin:smsverify_provider_add"), {"gateway": "ihuyi"})

    assert response.status_code == 200
    assert "/test/" not in response.content.decode()


class TestWhatIsRememberedOfIt:
    """On the page of the provider, in its state, among what is to be done, and by the doctor."""

    @pytest.fixture
    def chief(self, client: Client) -> Client:
        client.force_login(User.objects.create_superuser("chief"))
        return client

    def shown(self, client: Client, provider: Provider) -> str:
        return html.unescape(client.get(page(provider, "change")).content.decode())

    def saved(self, client: Client, provider: Provider, **changes: str) -> str:
        """What is shown after the form was saved with these fields."""
        known = {"name": provider.name, "slug": provider.slug, "base_url": provider.base_url}
        fields = filled_in(provider.gateway, **known, **changes)
        answer = client.post(page(provider, "change"), fields, follow=True)
        assert answer.redirect_chain, answer.context["adminform"].form.errors
        return html.unescape(answer.content.decode())

    def test_wrong_keys_stand_until_they_are_right(self, vendor: MakeProvider, chief: Client) -> None:
        good = vendor("topthink").credentials
        Provider.objects.update(credentials=WRONG_KEYS["topthink"])
        provider = Provider.objects.get()
        assert "The last test" not in self.shown(chief, provider)

        tested = html.unescape(press(chief, provider).content.decode())
        assert "No code goes out by them before what is wrong above is corrected." in tested
        assert "Codes can be sent for" not in tested

        text = self.shown(chief, provider)
        assert '<span class="smsverify-state bad">the last test failed: keys</span>' in text
        assert re.search(r"<strong>keys</strong>: The last test, at [-0-9: ]+: The vendor refuses the account", text)
        assert '<span class="smsverify-state bad">no code goes out</span>' in text
        assert "WRONG-KEY" not in text
        (problem,) = (one for one in what_to_do() if one.kind == Kind.KEYS)
        assert (problem.tone, problem.action) == ("bad", Action.TEST)
        assert examine_purposes().is_wrong

        self.saved(chief, provider, priority="5")
        assert "the last test failed: keys" in self.shown(chief, provider), "nothing was changed that matters to it"
        Provider.objects.update(credentials=good)
        assert "the last test failed" not in self.shown(chief, provider), "it was of other keys"

    def test_a_test_that_finds_nothing_wrong_ends_it(
        self, vendor: MakeProvider, chief: Client, sandbox: Sandbox
    ) -> None:
        provider = vendor("topthink")
        sandbox.misbehave("topthink", Fault.status(500))
        press(chief, provider)
        assert "the last test failed: address" in self.shown(chief, provider)

        sandbox.behave("topthink")
        press(chief, provider)
        assert "The last test" not in self.shown(chief, provider)

    def test_an_sms_that_was_taken_since_is_the_better_test(
        self, vendor: MakeProvider, chief: Client, sandbox: Sandbox
    ) -> None:
        provider = vendor("topthink")
        sandbox.misbehave("topthink", Fault.status(500))
        press(chief, provider)
        fill(provider, 1, MessageStatus.ACCEPTED)
        assert "the last test failed" in self.shown(chief, provider), "it may have been under way already"
        assert Kind.KEYS in {one.kind for one in what_to_do()}

        Message.objects.update(created_at=timezone.now() + timedelta(minutes=1))
        assert "the last test failed" not in self.shown(chief, provider)
        assert Kind.KEYS not in {one.kind for one in what_to_do()}

    @pytest.mark.parametrize("change", [{"credential_app_code": "NEW"}, {"option_http_method": "GET"}])
    def test_what_was_changed_is_to_be_tested(
        self, change: dict[str, str], vendor: MakeProvider, chief: Client
    ) -> None:
        provider = vendor("topthink")

        told = self.saved(chief, provider, **change)

        assert f'<a href="{page(provider, "change")}#smsverify-test">Press “Test” now.</a>' in told
        text = self.shown(chief, provider)
        assert 'id="smsverify-test"' in text
        assert "not tested since" in text
        assert "not tested yet" in text
        assert [one.tone for one in what_to_do() if one.kind == Kind.UNTESTED] == ["warn"]
        press(chief, provider)
        assert "not tested" not in self.shown(chief, provider)

    def test_what_no_test_depends_on_asks_for_none(self, vendor: MakeProvider, chief: Client) -> None:
        provider = vendor("topthink")

        assert "Press “Test” now" not in self.saved(chief, provider, priority="5")
        assert "not tested" not in self.shown(chief, provider)

    def test_a_new_provider_was_not_tested(self, chief: Client) -> None:
        chief.post(page(Provider, "add"), filled_in("topthink", secret="SECRET"))

        assert "not tested yet" in self.shown(chief, Provider.objects.get())

    def test_without_the_cache_the_page_is_shown(
        self, vendor: MakeProvider, chief: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: object, **kwargs: object) -> None:
            raise ConnectionError

        monkeypatch.setattr(notes, "call_cache", fail)
        provider = vendor("topthink")
        assert press(chief, provider).status_code == 200
        assert "What lacks" in self.shown(chief, provider)
