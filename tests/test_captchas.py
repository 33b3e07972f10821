"""The captchas that come with the package: images, and proofs of work."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin

import altcha
import pytest
import requests
import time_machine
from captcha.models import CaptchaStore
from captcha.views import captcha_image
from django.core import checks
from django.core.management import call_command
from django.test import Client, override_settings
from django.urls import clear_script_prefix, set_script_prefix
from django.utils import timezone

from django_smsverify.challenges import altcha as proofs_of_work
from django_smsverify.enums import Refused
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import KnownNumber, Refusal
from django_smsverify.polling.poll import poll

from .caches import AbsentCache, HangingCache
from .conftest import PHONE, MakeProvider, Site, refusal

BODY = {"phone": PHONE, "purpose": "login"}
KINDS = ["image", "altcha"]
LIMITS: dict[str, Any] = {"RESEND_INTERVAL": 0, "PHONE_LIMITS": (), "PREFIX_LIMITS": (), "IP_LIMITS": ()}
BAD: list[Any] = [
    *["", "x", "e30=", "bnVsbA==", "W10=", "\x00", "🧩", "\ud800", 7, 1.5, None, True, [], {}, "x" * 9000],
    *[{"key": "x"}, {"value": "x"}, {"key": 7, "value": 7}, {"key": [], "value": {}}, {"key": "", "value": ""}],
    *[{"key": "\x00", "value": "a"}, {"key": "\ud800", "value": "a"}, {"key": "a" * 9000, "value": "a"}],
]

pytestmark = pytest.mark.django_db(transaction=True)


def solve(offered: Any) -> Any:
    """What a person, or a browser, posts as `captcha`."""
    if offered["kind"] == "image":
        return {"key": offered["key"], "value": CaptchaStore.objects.get(hashkey=offered["key"]).response}
    challenge = altcha.Challenge.from_dict(offered["challenge"])
    solution = altcha.solve_challenge(challenge)
    assert solution is not None
    return altcha.Payload(challenge, solution).to_base64()


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs_of_work, "TRIES", range(1, 9))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, memory: MakeProvider) -> Iterator[str]:
    memory()
    with override_settings(SMSVERIFY={**LIMITS, "CAPTCHA": request.param}):
        yield request.param


@pytest.fixture
def image(memory: MakeProvider) -> Iterator[None]:
    memory()
    with override_settings(SMSVERIFY={**LIMITS, "CAPTCHA": "image"}):
        yield


@pytest.fixture
def proof_of_work(memory: MakeProvider) -> Iterator[None]:
    memory()
    with override_settings(SMSVERIFY={**LIMITS, "CAPTCHA": "altcha"}):
        yield


def offer(site: Site) -> Any:
    answer = site.post("send", BODY)
    assert refusal(answer) == (400, "captcha_required")
    return answer.json()["captcha"]


def send(site: Site, captcha: Any, **more: Any) -> requests.Response:
    return site.post("send", {**BODY, **more, "captcha": captcha})


class TestBothKinds:
    def test_who_solves_it_gets_a_code(self, kind: str, site: Site) -> None:
        offered = offer(site)
        assert offered["kind"] == kind
        assert Refusal.objects.get().reason == Refused.CAPTCHA

        assert send(site, solve(offered)).status_code == 202

        assert len(MemoryGateway.outbox) == 1

    def test_it_is_used_up(self, kind: str, site: Site) -> None:
        solved = solve(offer(site))
        assert send(site, solved).status_code == 202

        again = send(site, solved)

        assert refusal(again) == (400, "captcha_required")
        assert send(site, solve(again.json()["captcha"])).status_code == 202, "the answer brings another one"

    def test_of_many_requests_with_one_solution_one_is_served(self, kind: str, site: Site) -> None:
        solved = solve(offer(site))

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: send(site, solved), range(8)))

        assert sorted(answer.status_code for answer in answers) == [202] + [400] * 7
        assert len(MemoryGateway.outbox) == 1

    @pytest.mark.any_database
    @pytest.mark.parametrize("bad", BAD)
    def test_a_bad_one_counts_as_absent(self, bad: Any, kind: str, site: Site) -> None:
        answer = send(site, bad)

        assert refusal(answer) == (400, "captcha_required")
        assert answer.json()["captcha"]["kind"] == kind

    @pytest.mark.any_database
    def test_without_a_captcha_the_field_changes_nothing(self, kind: str, site: Site) -> None:
        with override_settings(SMSVERIFY=LIMITS):
            assert {send(site, bad).status_code for bad in BAD} == {202}

    def test_each_offer_is_another_one(self, kind: str, site: Site) -> None:
        assert offer(site) != offer(site)

    def test_who_solves_it_is_trusted(self, kind: str, site: Site) -> None:
        KnownNumber.objects.remember(PHONE, timezone.now(), before=None)
        with override_settings(SMSVERIFY={**LIMITS, "CAPTCHA": kind, "PHONE_LIMITS": ("2/h",)}):
            answers = [send(site, solve(offer(site))) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [202, 202]

    def test_one_is_enough_for_a_verification(self, kind: str, site: Site) -> None:
        """The others who know its number are asked all the same."""
        sent = send(site, solve(offer(site))).json()["verification_id"]

        assert site.resend(sent).status_code == 202
        assert refusal(site.post("send", BODY)) == (400, "captcha_required")

    def test_one_that_is_solved_for_a_resend_is_enough_for_the_next(self, kind: str, site: Site) -> None:
        with override_settings(SMSVERIFY=LIMITS):
            sent = site.send().json()["verification_id"]
        asked = site.resend(sent)
        assert refusal(asked) == (400, "captcha_required")
        solved = {"verification_id": sent, "captcha": solve(asked.json()["captcha"])}

        assert site.post("send", solved).status_code == 202
        assert site.resend(sent).status_code == 202

    def test_where_all_requests_need_one_a_resend_does_too(self, kind: str, site: Site, settings: Any) -> None:
        settings.SMSVERIFY = {**settings.SMSVERIFY, "CAPTCHA_WHEN": "always"}
        sent = send(site, solve(offer(site))).json()["verification_id"]
        asked = site.resend(sent)
        assert refusal(asked) == (400, "captcha_required")

        again = {"verification_id": sent, "captcha": solve(asked.json()["captcha"])}

        assert site.post("send", again).status_code == 202
        assert refusal(site.post("send", again)) == (400, "captcha_required")

    def test_a_purpose_may_have_another(self, kind: str, site: Site) -> None:
        other = next(one for one in KINDS if one != kind)
        with override_settings(SMSVERIFY={"CAPTCHA": kind, "PURPOSES": {"login": {"CAPTCHA": other}}}):
            assert offer(site)["kind"] == other

    def test_an_unknown_field_is_accepted_beside_it(self, kind: str, site: Site) -> None:
        """One purpose may have a captcha of the site, with fields of its own."""
        assert send(site, solve(offer(site)), lot_number="1").status_code == 202

    def test_the_log_shows_no_solution(self, kind: str, site: Site, log: Any) -> None:
        solved = solve(offer(site))
        send(site, solved)

        assert (solved if isinstance(solved, str) else solved["key"]) not in log.text


def test_a_function_of_the_site_offers_nothing(site: Site, memory: MakeProvider) -> None:
    memory()
    with override_settings(SMSVERIFY={"CAPTCHA": "tests.test_idempotency.refuse_all"}):
        assert "captcha" not in send(site, {"key": "x", "value": "y"}).json()


def whole_body(request: Any, data: Any) -> bool:
    return bool(data == {**BODY, "captcha": 7, "ticket": "x", "lot_number": "1"})


def test_a_function_of_the_site_gets_the_whole_body(site: Site, memory: MakeProvider) -> None:
    memory()
    with override_settings(SMSVERIFY={"CAPTCHA": f"{__name__}.whole_body"}):
        assert send(site, 7, ticket="x", lot_number="1").status_code == 202
        assert refusal(send(site, 8, ticket="x", lot_number="1")) == (400, "captcha_required")


@pytest.mark.usefixtures("image")
class TestImage:
    def test_the_image_can_be_seen(self, site: Site) -> None:
        offered = offer(site)

        assert set(offered) == {"kind", "key", "image"}
        assert offered["image"].startswith("/captcha/"), "relative to the address of `send/`"
        shown = requests.get(urljoin(f"{site.url}/sms/send/", offered["image"]), timeout=60)
        assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/png")

    def test_the_image_of_a_site_below_a_path(self) -> None:
        set_script_prefix("/app/")  # as a server with SCRIPT_NAME causes it
        try:
            answer: Any = Client().post("/sms/send/", BODY, "application/json")
        finally:
            clear_script_prefix()

        assert answer.json()["captcha"]["image"].startswith("/app/captcha/image/")

    @pytest.mark.parametrize("written", [" abcd ", "ABCD", "ａｂＣＤ"])
    def test_it_is_read_as_people_write(self, written: str, site: Site) -> None:
        key = offer(site)["key"]
        CaptchaStore.objects.update(response="abcd")

        assert send(site, {"key": key, "value": written}).status_code == 202

    def test_it_can_be_tried_once(self, site: Site) -> None:
        offered = offer(site)
        solved = solve(offered)

        assert refusal(send(site, {**solved, "value": "wrong"})) == (400, "captcha_required")
        assert refusal(send(site, solved)) == (400, "captcha_required")

    def test_it_expires(self, site: Site) -> None:
        solved = solve(offer(site))
        with time_machine.travel(timezone.now() + timedelta(minutes=6)):
            assert refusal(send(site, solved)) == (400, "captcha_required")

    @pytest.mark.any_database
    @pytest.mark.slow
    def test_an_address_gets_only_so_many(self, site: Site, client: Client) -> None:
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
            for _ in range(600):
                assert client.post("/sms/send/", BODY, "application/json").status_code == 400  # quicker than `site`
            answer = site.post("send", BODY)

        assert refusal(answer) == (429, "throttled")
        assert answer.json()["scope"] == "ip"
        assert CaptchaStore.objects.count() == 600

    def test_the_poll_forgets_old_ones(self, site: Site) -> None:
        offer(site)
        assert poll()["captcha forgotten"] == 0
        with time_machine.travel(timezone.now() + timedelta(minutes=6)):
            with override_settings(SMSVERIFY={"CAPTCHA": "altcha"}):
                assert poll()["captcha forgotten"] == 0
            assert poll()["captcha forgotten"] == 1
        assert not CaptchaStore.objects.exists()


@pytest.mark.any_database
@pytest.mark.usefixtures("proof_of_work")
class TestProofOfWork:
    def test_a_cheap_phone_needs_about_a_million_iterations(self, monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
        monkeypatch.undo()

        parameters = offer(site)["challenge"]["parameters"]

        assert (parameters["algorithm"], parameters["cost"]) == ("PBKDF2/SHA-256", 1000)
        tries = proofs_of_work.TRIES
        assert parameters["cost"] * (tries[0] + tries[-1]) / 2 == pytest.approx(1_000_000, rel=0.01)

    def test_it_expires(self, site: Site) -> None:
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            solved, other = solve(offer(site)), solve(offer(site))
            clock.shift(600)
            assert send(site, solved).status_code == 202
            clock.shift(1)

            assert refusal(send(site, other)) == (400, "captcha_required")

    def test_a_used_one_stays_used_until_it_expires(self, site: Site) -> None:
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            solved = solve(offer(site))
            send(site, solved)
            clock.shift(600)

            assert refusal(send(site, solved)) == (400, "captcha_required")

    def test_it_outlives_a_new_secret_key(self, site: Site, settings: Any) -> None:
        solved = solve(offer(site))
        old, settings.SECRET_KEY = settings.SECRET_KEY, "another-secret-key"
        assert refusal(send(site, solved)) == (400, "captcha_required")
        settings.SECRET_KEY_FALLBACKS = [old]

        assert send(site, solved).status_code == 202
        assert refusal(send(site, solved)) == (400, "captcha_required")

    @pytest.mark.parametrize(
        "forge",
        [
            lambda found: found["challenge"]["parameters"].update(cost=1),
            lambda found: found["challenge"]["parameters"].update(expiresAt=2**40),
            lambda found: found["challenge"]["parameters"].update(keySignature=None),
            lambda found: found["challenge"]["parameters"].update(keyPrefix=""),
            lambda found: found["challenge"].update(signature="0" * 64),
            lambda found: found["challenge"].update(signature=None),
            lambda found: found["challenge"].update(signature=found["challenge"]["signature"].upper()),
            lambda found: found["solution"].update(derivedKey="00" * 32),
            lambda found: found["solution"].update(derivedKey=None),
            lambda found: found.update(solution=[]),
            lambda found: found.pop("challenge"),
        ],
    )
    def test_a_forged_one_counts_as_absent(self, forge: Callable[[Any], object], site: Site) -> None:
        content = json.loads(base64.b64decode(solve(offer(site))))
        forge(content)

        assert refusal(send(site, base64.b64encode(json.dumps(content).encode()).decode())) == (400, "captcha_required")

    def test_the_same_solution_written_otherwise_is_used_too(self, site: Site) -> None:
        solved = solve(offer(site))
        assert send(site, solved).status_code == 202
        content = json.loads(base64.b64decode(solved))
        content["solution"].update(counter=5, time=7)
        content["challenge"]["parameters"] = dict(reversed(content["challenge"]["parameters"].items()))

        written = base64.b64encode(json.dumps(content, indent=1).encode()).decode()

        assert refusal(send(site, written)) == (400, "captcha_required")

    @pytest.mark.parametrize("cache", [AbsentCache, HangingCache])
    def test_nothing_is_sent_while_the_cache_is_down(
        self, cache: type, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("django_smsverify.limits.cache.MAX_SECONDS", 0.2)
        solved = solve(offer(site))
        HangingCache.answers.clear()
        try:
            with override_settings(CACHES={"default": {"BACKEND": f"{cache.__module__}.{cache.__name__}"}}):
                assert refusal(send(site, solved)) == (503, "throttle_unavailable")
        finally:
            HangingCache.answers.set()

        assert not MemoryGateway.outbox
        assert send(site, solved).status_code == 202, "it was not used up"

    def test_a_cache_that_answers_too_late_uses_nothing_up(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("django_smsverify.limits.cache.MAX_SECONDS", 0.2)
        solved = solve(offer(site))
        hanging = {"default": {"BACKEND": f"{HangingCache.__module__}.HangingCache", "LOCATION": __name__}}
        with override_settings(CACHES=hanging):
            HangingCache.answers.clear()
            HangingCache.closed.clear()
            try:
                assert refusal(send(site, solved)) == (503, "throttle_unavailable")
            finally:
                HangingCache.answers.set()
            assert HangingCache.closed.wait(10), "it has answered, and what it did was undone"

            assert send(site, solved).status_code == 202


@pytest.mark.any_database
class TestChecks:
    """Until they are corrected, every request that needs a captcha is refused."""

    @pytest.fixture
    def found(self, site: Site, memory: MakeProvider) -> Callable[[], list[tuple[str, str]]]:
        memory()

        def check() -> list[tuple[str, str]]:
            messages = [one for one in checks.run_checks() if one.id == "smsverify.E016"]
            answer = site.post("send", BODY)
            assert refusal(answer) == (400, "captcha_required")
            assert ("captcha" in answer.json()) == (not messages)
            assert refusal(send(site, {"key": "a", "value": "b"})) == (400, "captcha_required")
            assert refusal(send(site, "text")) == (400, "captcha_required")
            return [(str(one.msg), str(one.hint)) for one in messages]

        return check

    @pytest.mark.parametrize("kind", [*KINDS, "tests.test_idempotency.refuse_all", None])
    def test_all_is_well(self, kind: str | None, settings: Any) -> None:
        settings.SMSVERIFY = {"CAPTCHA": kind}

        assert [one for one in checks.run_checks() if one.id == "smsverify.E016"] == []

    @pytest.mark.parametrize(("kind", "module"), [("image", "captcha"), ("altcha", "altcha")])
    def test_a_package_is_missing(
        self, kind: str, module: str, found: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.SMSVERIFY = {"CAPTCHA": kind}
        monkeypatch.setattr(f"django_smsverify.challenges.{kind}.find_spec", lambda name: None if name == module else 1)

        ((why, hint),) = found()

        assert why.startswith(f'SMSVERIFY["CAPTCHA"] is "{kind}", but ')
        assert why.endswith("is not installed.")
        assert hint == f"pip install 'django-smsverify[{kind}]'"
        settings.SMSVERIFY = {"CAPTCHA": next(one for one in KINDS if one != kind)}
        assert [one for one in checks.run_checks() if one.id == "smsverify.E016"] == [], "the other kind is used"

    def test_the_app_is_missing(self, found: Any, settings: Any) -> None:
        settings.SMSVERIFY = {"CAPTCHA": "image"}
        with override_settings(INSTALLED_APPS=[app for app in settings.INSTALLED_APPS if app != "captcha"]):
            ((why, hint),) = found()

        assert why == 'SMSVERIFY["CAPTCHA"] is "image", but "captcha" is not in INSTALLED_APPS.'
        assert "migrate" in hint

    def test_the_urls_are_missing(self, found: Any, settings: Any) -> None:
        settings.SMSVERIFY = {"CAPTCHA": None, "PURPOSES": {"login": {"CAPTCHA": "image"}}}
        settings.ROOT_URLCONF = "tests.other_urls"

        ((why, hint),) = found()

        assert "the URLs of django-simple-captcha are not included" in why
        assert 'path("captcha/", include("captcha.urls"))' in hint

    def test_the_images_need_a_login(self, found: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.SMSVERIFY = {"CAPTCHA": "image"}
        assert found() == []
        monkeypatch.setattr(captcha_image, "login_required", True)
        ((why, hint),) = found()
        settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if not one.endswith("LoginRequiredMiddleware")]

        assert found() == []
        assert "LoginRequiredMiddleware shows the images to nobody who is logged out" in why
        assert "login_not_required(captcha_image)" in hint

    def test_the_command_tells(self, settings: Any) -> None:
        settings.SMSVERIFY = {"CAPTCHA": "image"}
        settings.ROOT_URLCONF = "tests.other_urls"

        with pytest.raises(Exception, match=r"smsverify\.E016"):
            call_command("check")
