"""Signed requests of apps, which count as a fresh page ticket, and the keys that they are signed with."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_smsverify.challenges.client_keys import HEADERS
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import ClientKey, KnownNumber

from .caches import AbsentCache
from .conftest import PHONE, MakeProvider, Site, age_cache, refusal

BODY: dict[str, Any] = {"phone": PHONE, "purpose": "login"}
NOW = "2026-03-01T12:00:00+08:00"
PATH = "/sms/send/"
LIMITS: dict[str, Any] = {"RESEND_INTERVAL": 0, "PHONE_LIMITS": (), "PREFIX_LIMITS": (), "IP_LIMITS": ()}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def captcha(memory: MakeProvider) -> Iterator[None]:
    memory()
    with override_settings(SMSVERIFY={**LIMITS, "CAPTCHA": "tests.test_idempotency.refuse_all"}):
        yield


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


class App:
    """A client with a key."""

    def __init__(self, name: str = "Android") -> None:
        self.key = ClientKey.objects.create(name=name)
        self.secret = self.key.new_secret(timezone.now())

    def signed(self, sent: bytes, nonce: str = "nonce-0123456789", path: str = PATH, **other: Any) -> dict[str, str]:
        timestamp = str(int(timezone.now().timestamp()) + other.get("ahead", 0))
        text = "\n".join(["POST", path, timestamp, nonce, hashlib.sha256(sent).hexdigest()])
        signature = hmac.digest(other.get("secret", self.secret).encode(), text.encode(), "sha256").hex()
        return dict(zip(HEADERS, (self.key.key_id, timestamp, nonce, signature), strict=True))

    def headers(self, body: Any = None, **more: Any) -> dict[str, str]:
        return self.signed(json.dumps(BODY if body is None else body).encode(), **more)


def send(headers: dict[str, str], body: Any = None, path: str = PATH) -> Any:
    return Client().post(path, json.dumps(BODY if body is None else body), "application/json", headers=headers)


def is_asked(answer: Any) -> bool:
    """Whether the answer asks for a captcha."""
    assert answer.status_code in (202, 400), answer.content
    return bool(answer.status_code == 400 and answer.json()["code"] == "captcha_required")


class TestRequests:
    def test_over_http(self, site: Site) -> None:
        app, sent = App(), json.dumps(BODY, indent=3, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", **app.signed(sent)}

        assert is_asked(
            requests.post(f"{site.url}{PATH}", sent, headers={"Content-Type": "application/json"}, timeout=60)
        )
        assert not is_asked(requests.post(f"{site.url}{PATH}", sent, headers=headers, timeout=60))
        assert len(MemoryGateway.outbox) == 1

    @pytest.mark.parametrize(
        "headers",
        [
            dict(zip(HEADERS, values, strict=True))
            for values in (
                ("", "", "", ""),
                ("0123456789abcdef", "1772337600", "nonce-0123456789", "0" * 64),
                ("0123456789ABCDEF", "1772337600", "nonce-0123456789", "0" * 64),
                ("x" * 9000, "x", "x", "x"),
                ("0123456789abcdef", "99999999999999999999", "nonce-0123456789", "0" * 64),
                ("0123456789abcdef", "١٧٧٢٣٣٧٦٠٠", "nonce-0123456789", "0" * 64),
                ("0123456789abcdef", "-1", "nonce-0123456789", "0" * 64),
                ("0123456789abcdef 1772337600", "nonce-0123456789", "0" * 64, ""),
            )
        ],
    )
    def test_bad_headers_count_as_absent(self, headers: dict[str, str], clock: time_machine.Traveller) -> None:
        App()

        assert is_asked(send({name: value.encode().decode("latin-1") for name, value in headers.items()}))

    @pytest.mark.parametrize("name", HEADERS)
    def test_each_header_is_needed(self, name: str) -> None:
        headers = App().headers()
        del headers[name]

        assert is_asked(send(headers))

    @pytest.mark.parametrize(
        "changed",
        [
            {"X-SMSVerify-Nonce": "nonce-9876543210"},
            {"X-SMSVerify-Timestamp": "1772337601"},
            {"X-SMSVerify-Signature": "0" * 64},
            {"X-SMSVerify-Key": "0123456789abcdef"},
        ],
    )
    def test_a_changed_header_makes_it_unsigned(self, changed: dict[str, str], clock: time_machine.Traveller) -> None:
        app = App()

        assert is_asked(send(app.headers() | changed))
        assert not is_asked(send(app.headers()))

    def test_the_key_is_compared_exactly(self) -> None:
        app = App()
        ClientKey.objects.update(key_id="abcdefabcdefabcd")
        app.key.key_id = "abcdefabcdefabcd"
        assert not is_asked(send(app.headers()))

        assert is_asked(send(app.headers() | {"X-SMSVerify-Key": "ABCDEFABCDEFABCD"}))

    def test_body_path_and_method_are_signed(self) -> None:
        app = App()

        assert is_asked(send(app.headers(), {**BODY, "phone": "13900139000"}))
        assert is_asked(send(app.headers(), path=f"{PATH}?page=1"))
        assert is_asked(send(app.headers(path="/sms/verify/")))
        assert not is_asked(send(app.headers(path=f"{PATH}?page=1&b=%E4%BD%A0"), path=f"{PATH}?page=1&b=%E4%BD%A0"))

    @pytest.mark.parametrize(("ahead", "asked"), [(-301, True), (-300, False), (300, False), (301, True)])
    def test_its_clock_may_be_five_minutes_wrong(self, ahead: int, asked: bool, clock: time_machine.Traveller) -> None:
        assert is_asked(send(App().headers(ahead=ahead))) == asked

    @pytest.mark.parametrize("after", [0, 299, 599])
    def test_a_repetition_counts_as_unsigned(self, after: int, clock: time_machine.Traveller) -> None:
        headers = App().headers(ahead=300)
        assert not is_asked(send(headers))
        clock.shift(after)
        age_cache(after)

        assert is_asked(send(headers))

    def test_of_many_repetitions_one_is_served(self) -> None:
        headers = App().headers()

        def repeat(_: int) -> bool:
            try:
                return is_asked(send(headers))
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(repeat, range(8)))

        assert sorted(answers) == [False] + [True] * 7

    def test_two_apps_may_choose_the_same_nonce(self) -> None:
        assert not is_asked(send(App("Android").headers()))
        assert not is_asked(send(App("iOS").headers()))

    def test_a_resend_is_signed_too(self) -> None:
        app = App()
        again = {"verification_id": send(app.headers()).json()["verification_id"]}

        assert is_asked(send({}, again))
        assert not is_asked(send(app.headers(again, nonce="another-nonce-00"), again))

    def test_a_lost_answer_is_repeated_as_it_was(self) -> None:
        headers = App().headers() | {"Idempotency-Key": "press-0001"}
        answers = [send(headers) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [202, 202]
        assert len(MemoryGateway.outbox) == 1

    def test_a_signature_makes_nobody_trusted(self) -> None:
        app = App()
        KnownNumber.objects.remember(PHONE, timezone.now(), before=None)
        with override_settings(SMSVERIFY={"CAPTCHA": "tests.test_idempotency.refuse_all", "PHONE_LIMITS": ("1/h",)}):
            assert not is_asked(send(app.headers()))
            assert refusal(send(app.headers(nonce="another-nonce-00"))) == (429, "throttled")

    def test_where_all_must_solve_a_captcha_it_changes_nothing(self) -> None:
        headers = App().headers()
        with override_settings(SMSVERIFY={"CAPTCHA": "tests.test_idempotency.refuse_all", "CAPTCHA_WHEN": "always"}):
            assert is_asked(send(headers))

        assert not is_asked(send(headers)), "which has not used it up"

    def test_nothing_is_sent_while_the_cache_is_down(self) -> None:
        headers = App().headers()
        with override_settings(CACHES={"default": {"BACKEND": f"{AbsentCache.__module__}.AbsentCache"}}):
            assert refusal(send(headers)) == (503, "throttle_unavailable")

        assert not is_asked(send(headers))

    def test_only_a_request_with_all_headers_asks_the_database(self) -> None:
        app = App()
        for headers, statements in (({}, 0), ({"X-SMSVerify-Key": app.key.key_id}, 0), (app.headers(), 1)):
            with CaptureQueriesContext(connection) as queries:
                send(headers)
            asked = [query["sql"] for query in queries if "smsverify_clientkey" in query["sql"]]
            assert len(asked) == statements

    def test_the_log_shows_neither_secret_nor_signature(self, log: Any) -> None:
        app = App()
        headers = app.headers()
        send(headers)
        send(headers)

        assert app.secret not in log.text
        assert headers["X-SMSVerify-Signature"] not in log.text


class TestKeys:
    def test_the_secret_before_works_for_a_while(self, clock: time_machine.Traveller) -> None:
        app = App()
        fresh = app.key.new_secret(timezone.now())

        assert not is_asked(send(app.headers(nonce="nonce-of-the-old")))
        assert not is_asked(send(app.headers(nonce="nonce-of-the-new", secret=fresh)))
        clock.shift(timedelta(days=30))
        assert is_asked(send(app.headers(nonce="nonce-too-late-00")))
        assert not is_asked(send(app.headers(nonce="nonce-of-new-002", secret=fresh)))

    def test_it_can_be_ended_at_once(self) -> None:
        app = App()
        fresh = app.key.new_secret(timezone.now())
        app.key.retire_previous()

        assert is_asked(send(app.headers()))
        assert not is_asked(send(app.headers(secret=fresh)))
        assert list(ClientKey.objects.get().secrets) == ["current"]

    def test_a_revoked_key_signs_nothing(self) -> None:
        app = App()
        ClientKey.objects.update(is_active=False)

        assert is_asked(send(app.headers()))

    def test_secrets_are_encrypted_and_hidden(self) -> None:
        app = App()
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM smsverify_clientkey")
            stored = repr(cursor.fetchall())

        assert app.secret not in stored
        assert app.secret not in repr(ClientKey.objects.get().secrets)
        assert app.secret not in f"{app.key} {app.key!r}"

    def test_a_key_whose_encryption_key_is_lost_signs_nothing_and_can_be_renewed(self) -> None:
        app = App()
        with override_settings(SECRET_KEY="another-secret-key"):
            assert is_asked(send(app.headers()))
            key = ClientKey.objects.get()
            app.secret = key.new_secret(timezone.now())
            assert not is_asked(send(app.headers()))
            assert key.previous_until is None

    def test_secrets_are_encrypted_anew(self) -> None:
        app = App()
        with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["new", "TEST-SECRET-KEY-of-the-suite-0123456789"]}):
            call_command("smsverify_reencrypt")
        with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["new"]}):
            assert ClientKey.objects.get().secrets == {"current": app.secret}


class TestAdmin:
    LIST = "admin:smsverify_clientkey_changelist"

    def act(self, client: Client, action: str, *keys: ClientKey) -> Any:
        asked = {"action": action, "_selected_action": [key.pk for key in keys]}
        return client.post(reverse(self.LIST), asked, follow=True)

    def secrets_in(self, answer: Any) -> list[str]:
        assert "no-store" in answer.headers["Cache-Control"]
        return re.findall(r"<code>([A-Za-z0-9_-]{43})</code>", answer.content.decode())

    def test_a_new_key_shows_its_secret_once(self, admin_client: Client) -> None:
        made = admin_client.post(reverse("admin:smsverify_clientkey_add"), {"name": "iOS", "is_active": "on"})
        (secret,) = self.secrets_in(made)
        key = ClientKey.objects.get()

        assert key.secrets == {"current": secret}
        assert key.key_id in made.content.decode()
        for page in (
            reverse(self.LIST),
            reverse("admin:smsverify_clientkey_change", args=[key.pk]),
            reverse("admin:index"),
        ):
            assert secret not in admin_client.get(page).content.decode()
        app = App.__new__(App)
        app.key, app.secret = key, secret  # type: ignore[assignment]
        assert not is_asked(send(app.headers()))

    def test_the_answer_that_is_loaded_again_makes_no_second_key(self, admin_client: Client) -> None:
        url = reverse("admin:smsverify_clientkey_add")
        html = admin_client.get(url).content.decode()
        (nonce,) = re.findall(r'name="nonce" value="([0-9a-f]{16})"', html)
        assert html.count(nonce) == 1, "an id that is shown before it is saved may be taken for the key"
        posted = {"name": "iOS", "is_active": "on", "nonce": nonce}
        (secret,) = self.secrets_in(admin_client.post(url, posted))

        again = admin_client.post(url, posted, follow=True).content.decode()

        key = ClientKey.objects.get()
        assert (key.key_id, key.secrets) == (nonce, {"current": secret})
        assert "The key iOS was made already, and its secret was shown once." in again
        assert secret not in again

    def test_the_id_of_a_key_is_none_that_somebody_chose(self, admin_client: Client) -> None:
        posted = {"name": "iOS", "is_active": "on", "nonce": "mine"}

        assert admin_client.post(reverse("admin:smsverify_clientkey_add"), posted).context["errors"]
        assert not ClientKey.objects.exists()

    def test_a_key_is_renamed_and_keeps_its_secret(self, admin_client: Client) -> None:
        app = App()
        admin_client.post(
            reverse("admin:smsverify_clientkey_change", args=[app.key.pk]), {"name": "New", "is_active": "on"}
        )

        assert ClientKey.objects.get().name == "New"
        assert not is_asked(send(app.headers()))

    def test_a_new_secret(self, admin_client: Client) -> None:
        one, other = App("Android"), App("iOS")

        secrets = self.secrets_in(self.act(admin_client, "rotate", one.key, other.key))

        assert [key.secrets["current"] for key in ClientKey.objects.order_by("name")] == secrets
        assert not is_asked(send(one.headers()))

    def test_not_while_the_secret_before_works(self, admin_client: Client) -> None:
        app = App()
        first = self.secrets_in(self.act(admin_client, "rotate", app.key))

        html = self.act(admin_client, "rotate", app.key).content.decode()

        assert "Android: the secret before still works; end that first." in html
        assert [ClientKey.objects.get().secrets["current"]] == first

    def test_the_end_of_the_secret_before(self, admin_client: Client) -> None:
        app = App()
        self.act(admin_client, "rotate", app.key)
        html = self.act(admin_client, "retire_previous", app.key).content.decode()

        assert "Only the newest secrets work now." in html
        assert is_asked(send(app.headers()))

    def test_a_revocation(self, admin_client: Client) -> None:
        app = App()
        html = self.act(admin_client, "revoke", app.key).content.decode()

        assert "The keys do not work any more." in html
        assert is_asked(send(app.headers()))

    def test_who_may_only_look_gets_no_secret(self, client: Client, django_user_model: Any) -> None:
        app = App()
        user = django_user_model.objects.create_user("viewer", is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename="view_clientkey"))
        client.force_login(user)

        html = self.act(client, "rotate", app.key).content.decode()

        assert ClientKey.objects.get().secrets == {"current": app.secret}
        assert app.secret not in html
