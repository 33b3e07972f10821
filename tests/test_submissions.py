"""Signatures and templates in a vendor's review, over real HTTP: what is submitted, and how often."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from itertools import permutations
from typing import Any

import pytest
import requests
from django.core.management import call_command
from django.db import transaction
from django.test import override_settings
from django.utils import timezone
from sandbox import catalogue
from sandbox.reviews import IN_REVIEW
from sandbox.server import Fault, Sandbox

from django_smsverify.enums import ReviewStatus, Submission
from django_smsverify.exceptions import (
    GatewayRejected,
    GatewayUnavailable,
    GatewayUncertain,
    InsideTransaction,
    SubmissionRefused,
)
from django_smsverify.models import Provider, Signature, Template
from django_smsverify.polling.poll import poll
from django_smsverify.reviews.actions import copy_as_draft, delete, fetch, make_draft, resubmit, submit, what_was_lost
from django_smsverify.reviews.verdicts import Text, store_review_result
from django_smsverify.sending import send_code, send_message
from django_smsverify.types import ReviewEvent

from .conftest import PHONE, MakeProvider, Site

REMARK = "用于示例站登录，https://www.example.com"
CODE = "您的验证码是{code}，{minutes}分钟内有效。"
DRAFT, PENDING = ReviewStatus.DRAFT, ReviewStatus.PENDING
LOST = {"502": Fault.deliver_then_status(502), "reset": Fault.reset(deliver=True), "garbage": Fault.garbage()}
"""Faults by which the answer is lost after the vendor has carried out the call."""
REFUSALS = {
    "refused": (Fault.refuse("10002"), GatewayRejected),
    "401": (Fault.status(401), GatewayRejected),
    "429": (Fault.status(429), GatewayRejected),
}


@pytest.fixture
def topthink(vendor: MakeProvider) -> Provider:
    return vendor("topthink")


def signature(provider: Provider, **fields: Any) -> Signature:
    return Signature.objects.create(**{"provider": provider, "text": "新站", "remark": REMARK, **fields})


def template(provider: Provider, **fields: Any) -> Template:
    own = {"provider": provider, "purpose": "payment", "name": "支付", "content": CODE, "remark": REMARK}
    return Template.objects.create(**{**own, **fields})


MAKE: dict[str, Callable[..., Text]] = {"sign": signature, "template": template}
kinds = pytest.mark.parametrize("kind", MAKE)


def state_of(text: Text) -> tuple[str, str, str]:
    text.refresh_from_db()
    return text.status, text.remote_id, text.reason


def row(text: Text) -> Any:
    return type(text).objects.filter(pk=text.pk).values().get()


def own(sandbox: Sandbox, kind: Any, vendor: str = "topthink") -> list[tuple[str, str, int]]:
    """What was submitted there in this test, without the texts that the vendor has from the start."""
    first = {sign.id for sign in (*catalogue.TOPTHINK_SIGNS, *catalogue.TOPTHINK_TEMPLATES, *catalogue.IHUYI_TEMPLATES)}
    return [entry for entry in sandbox.submitted(vendor, kind) if entry[0] not in first]


def set_verdict(sandbox: Sandbox, kind: Any, remote_id: str, approved: bool, reason: str = "") -> None:
    sandbox.judge("topthink", kind, remote_id, approved, reason)


class ReplicaIsAway:
    """A router to a replica that does not exist: any read through it fails."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "replica" if model in (Signature, Template) else None


# ---------------------------------------------------------------------------------- the whole cycle


@kinds
@pytest.mark.parametrize("options", [{"http_method": "GET", "auth": "query"}, {}], ids=["GET", "POST"])
def test_a_text_from_draft_to_deletion(
    kind: str, options: dict[str, str], vendor: MakeProvider, sandbox: Sandbox
) -> None:
    text = MAKE[kind](vendor("topthink", options=options))

    submit(text)
    ((remote_id, content, state),) = own(sandbox, kind)
    assert state_of(text) == (PENDING, remote_id, "")
    assert (content, state) == ("新站" if kind == "sign" else "您的验证码是${code}，${minutes}分钟内有效。", IN_REVIEW)

    set_verdict(sandbox, kind, remote_id, False, "请提供网址或公众号")
    fetch(text)
    assert state_of(text) == ("rejected", remote_id, "请提供网址或公众号")

    type(text).objects.update(**{"text": "更新站"} if kind == "sign" else {"content": "动态码{code}"})
    text.refresh_from_db()
    resubmit(text)
    assert state_of(text) == (PENDING, remote_id, "")
    assert own(sandbox, kind) == [(remote_id, "更新站" if kind == "sign" else "动态码${code}", IN_REVIEW)]

    set_verdict(sandbox, kind, remote_id, True)
    fetch(text)
    assert state_of(text) == ("approved", remote_id, "")

    delete(text)
    assert state_of(text) == (DRAFT, "", "")
    assert own(sandbox, kind) == []


def test_a_submitted_text_can_be_sent_once_it_is_approved(topthink: Provider, sandbox: Sandbox) -> None:
    name, text = signature(topthink), template(topthink, content="验证码{code}", variables={"code": "yzm"})
    for each in (name, text):
        submit(each)
    Template.objects.filter(pk=text.pk).update(signature=name)
    for kind, each in (("sign", name), ("template", text)):
        set_verdict(sandbox, kind, each.remote_id, True)
    Template.objects.exclude(pk=text.pk).delete()
    Template.objects.filter(pk=text.pk).update(poll_at=None)
    Signature.objects.filter(pk=name.pk).update(poll_at=None)

    assert poll()["reviewed"] == 2
    verification = send_code(PHONE, "payment")

    assert sandbox.inbox.of(PHONE[3:])[-1].text == f"【新站】验证码{verification.derive_code()}"


def test_pushes_update_the_status(
    topthink: Provider, sandbox: Sandbox, site: Site, settings: Any, transactional_db: None
) -> None:
    sandbox.webhooks["topthink"] = f"{site.url}/sms/webhooks/topthink/{topthink.webhook_secret}/"
    text = template(topthink)
    submit(text)

    set_verdict(sandbox, "template", text.remote_id, False, "缺公章")
    sandbox.flush()
    assert state_of(text)[::2] == ("rejected", "缺公章")

    resubmit(text)
    set_verdict(sandbox, "template", text.remote_id, True)
    sandbox.flush()
    assert state_of(text)[::2] == ("approved", "")


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_pushes_in_any_order_end_in_the_status_at_the_vendor(
    order: tuple[int, ...], topthink: Provider, sandbox: Sandbox
) -> None:
    text = template(topthink)
    submit(text)
    set_verdict(sandbox, "template", text.remote_id, False, "一")
    fetch_and_resubmit(text)
    set_verdict(sandbox, "template", text.remote_id, True)
    events = [
        ReviewEvent(submission=Submission.TEMPLATE, remote_id=text.remote_id, status=status, reason=reason)
        for status, reason in ((PENDING, ""), (ReviewStatus.REJECTED, "一"), (ReviewStatus.APPROVED, ""))
    ]

    for place in order:
        store_review_result(topthink, events[place])

    assert state_of(text) == ("approved", text.remote_id, "")


def fetch_and_resubmit(text: Text) -> None:
    fetch(text)
    resubmit(text)


# ----------------------------------------------------------------------------- nothing submitted twice


@kinds
@pytest.mark.parametrize("fault", ["502", "reset"])
def test_a_text_is_not_submitted_again_after_a_lost_answer(
    kind: str, fault: str, topthink: Provider, sandbox: Sandbox
) -> None:
    text = MAKE[kind](topthink)
    sandbox.misbehave("topthink", LOST[fault])

    with pytest.raises(GatewayUncertain):
        submit(text)
    sandbox.behave()

    assert state_of(text) == (PENDING, "", "")
    assert "make it a draft again" in what_was_lost(text)
    with pytest.raises(SubmissionRefused, match="answer was lost"):
        submit(text)
    with pytest.raises(SubmissionRefused):
        resubmit(text)
    output = StringIO()
    call_command("smsverify_poll", stdout=output)
    assert "1 texts were submitted and the vendor's answer was lost: see the admin" in output.getvalue()
    assert len(own(sandbox, kind)) == 1
    assert state_of(text) == (PENDING, "", "")


@kinds
def test_a_push_restores_a_lost_id(kind: Any, topthink: Provider, sandbox: Sandbox) -> None:
    text, other = MAKE[kind](topthink), MAKE[kind](topthink, **{"text": "别站"} if kind == "sign" else {"name": "别"})
    sandbox.misbehave("topthink", LOST["502"])
    for each in (text, other):
        with pytest.raises(GatewayUncertain):
            submit(each)
    sandbox.behave()
    remote_id = own(sandbox, kind)[0][0]

    set_verdict(sandbox, kind, remote_id, True)
    store_review_result(topthink, pushed(sandbox, kind, remote_id))

    assert state_of(text) == ("approved", remote_id, "")
    assert state_of(other) == (PENDING, "", "")


def pushed(sandbox: Sandbox, kind: Any, remote_id: str) -> ReviewEvent:
    """The event that the vendor would push, as the gateway reads it."""
    provider = Provider.objects.get(gateway="topthink")
    return provider.gateway_client().ask_review(
        Submission.SIGNATURE if kind == "sign" else Submission.TEMPLATE, remote_id
    )


@pytest.mark.parametrize("twins", [2, 3])
def test_a_push_that_fits_several_texts_is_matched_to_none(twins: int, topthink: Provider, sandbox: Sandbox) -> None:
    texts = [signature(topthink) for _ in range(twins)]
    sandbox.misbehave("topthink", LOST["502"])
    for text in texts:
        with pytest.raises(GatewayUncertain):
            submit(text)
    sandbox.behave()

    store_review_result(topthink, pushed(sandbox, "sign", own(sandbox, "sign")[0][0]))

    assert {state_of(text) for text in texts} == {(PENDING, "", "")}


def test_a_forged_push_sets_no_id(topthink: Provider, sandbox: Sandbox) -> None:
    text = signature(topthink, status=PENDING)

    for remote_id in (catalogue.TOPTHINK_UNAPPROVED_SIGN.id, "99999"):
        event = ReviewEvent(
            submission=Submission.SIGNATURE, remote_id=remote_id, status=ReviewStatus.APPROVED, text="新站"
        )
        store_review_result(topthink, event)

    assert state_of(text) == (PENDING, "", "")


@kinds
def test_a_text_missing_at_the_vendor_can_be_made_a_draft_and_submitted_again(
    kind: str, topthink: Provider, sandbox: Sandbox
) -> None:
    text = MAKE[kind](topthink)
    sandbox.misbehave("topthink", Fault.status(500))
    with pytest.raises(GatewayUncertain):
        submit(text)
    sandbox.behave()
    assert own(sandbox, kind) == []

    make_draft(text)
    submit(text)

    assert len(own(sandbox, kind)) == 1
    with pytest.raises(SubmissionRefused):
        make_draft(text)


@kinds
def test_a_text_is_not_lost_while_it_is_being_submitted(
    kind: str, topthink: Provider, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who made it a draft again during the call would submit it twice."""
    text = MAKE[kind](topthink)
    gateway = type(topthink.gateway_client())
    submit_at_vendor = gateway.submit

    def meanwhile(self: Any, draft: Any) -> str:
        seen = type(text).objects.get(pk=text.pk)
        assert what_was_lost(seen) == ""
        with pytest.raises(SubmissionRefused, match="in a minute"):
            make_draft(seen)
        return submit_at_vendor(self, draft)

    monkeypatch.setattr(gateway, "submit", meanwhile)
    submit(text)

    assert len(own(sandbox, kind)) == 1


def test_a_text_is_submitted_by_one_user_only(topthink: Provider, sandbox: Sandbox) -> None:
    text = signature(topthink)
    twin = Signature.objects.get(pk=text.pk)

    submit(text)
    with pytest.raises(SubmissionRefused, match="Somebody else"):
        submit(twin)

    assert len(own(sandbox, "sign")) == 1


def test_a_text_that_was_changed_meanwhile_is_not_submitted(topthink: Provider, sandbox: Sandbox) -> None:
    text = signature(topthink)
    Signature.objects.update(text="改名站")

    with pytest.raises(SubmissionRefused, match="Somebody else"):
        submit(text)

    assert own(sandbox, "sign") == []


@kinds
def test_the_poll_asks_after_a_lost_answer_to_a_resubmission(kind: str, topthink: Provider, sandbox: Sandbox) -> None:
    text = MAKE[kind](topthink)
    submit(text)
    set_verdict(sandbox, kind, text.remote_id, False, "缺公章")
    fetch(text)
    sandbox.misbehave("topthink", LOST["502"])

    with pytest.raises(GatewayUncertain):
        resubmit(text)
    sandbox.behave()
    assert state_of(text)[0] == PENDING

    set_verdict(sandbox, kind, text.remote_id, True)
    type(text).objects.update(poll_at=None)
    poll()
    assert state_of(text)[0] == "approved"


def test_a_resubmission_that_never_arrived_ends_as_rejected_again(topthink: Provider, sandbox: Sandbox) -> None:
    text = rejected(topthink, sandbox)
    sandbox.misbehave("topthink", Fault.status(500))
    with pytest.raises(GatewayUncertain):
        resubmit(text)
    sandbox.behave()
    Template.objects.update(poll_at=None)

    poll()

    assert state_of(text)[::2] == ("rejected", "缺公章")


def rejected(provider: Provider, sandbox: Sandbox) -> Template:
    text = template(provider)
    submit(text)
    set_verdict(sandbox, "template", text.remote_id, False, "缺公章")
    return fetch(text)


def test_an_answer_from_before_a_resubmission_is_ignored(
    topthink: Provider, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer was under way while the text was submitted again."""
    text = rejected(topthink, sandbox)
    gateway = topthink.gateway_client()
    ask_review = gateway.ask_review

    def answer_late(*question: Any) -> ReviewEvent:
        answer = ask_review(*question)
        resubmit(Template.objects.get(pk=text.pk))
        return answer

    monkeypatch.setattr(type(gateway), "ask_review", lambda self, *question: answer_late(*question))
    fetch(Template.objects.get(pk=text.pk))

    assert state_of(text)[0] == PENDING


def test_a_verdict_during_a_resubmission_is_asked_for_again(
    topthink: Provider, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old verdict arrives between the claim and the vendor's answer."""
    text = rejected(topthink, sandbox)
    gateway = type(topthink.gateway_client())
    resubmit_at_vendor = gateway.resubmit

    def with_verdict(self: Any, draft: Any) -> None:
        fetch(Template.objects.get(pk=text.pk))
        resubmit_at_vendor(self, draft)

    monkeypatch.setattr(gateway, "resubmit", with_verdict)
    resubmit(text)
    set_verdict(sandbox, "template", text.remote_id, True)
    Template.objects.filter(poll_at__isnull=False).update(poll_at=timezone.now())
    poll()

    assert state_of(text)[0] == "approved"


@kinds
@pytest.mark.parametrize("fault", [None, "502"])
def test_a_verdict_during_a_deletion_is_ignored(
    kind: str, fault: str | None, topthink: Provider, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = MAKE[kind](topthink)
    submit(text)
    set_verdict(sandbox, kind, text.remote_id, True)
    fetch(text)
    gateway = type(topthink.gateway_client())
    delete_at_vendor = gateway.delete

    def with_verdict(self: Any, submission: Submission, remote_id: str) -> None:
        event = ReviewEvent(submission=submission, remote_id=remote_id, status=ReviewStatus.APPROVED)
        store_review_result(topthink, event)
        if fault is not None:
            sandbox.misbehave("topthink", LOST[fault], times=1)
        delete_at_vendor(self, submission, remote_id)

    monkeypatch.setattr(gateway, "delete", with_verdict)
    delete(text)

    assert state_of(text) == (DRAFT, "", "")
    assert row(text)["poll_at"] is None


@kinds
@pytest.mark.parametrize("fault", ["502", "reset"])
def test_a_deletion_whose_answer_is_lost_is_confirmed_by_asking(
    kind: str, fault: str, topthink: Provider, sandbox: Sandbox
) -> None:
    text = MAKE[kind](topthink)
    submit(text)
    sandbox.misbehave("topthink", LOST[fault], times=1)

    delete(text)

    assert state_of(text) == (DRAFT, "", "")
    assert own(sandbox, kind) == []


def test_a_deletion_that_never_arrived_changes_nothing(topthink: Provider, sandbox: Sandbox) -> None:
    text = rejected(topthink, sandbox)
    before = row(text)
    sandbox.misbehave("topthink", Fault.status(500), times=1)

    with pytest.raises(GatewayUncertain):
        delete(text)

    assert row(text) == before
    assert len(own(sandbox, "template")) == 1


def test_an_uncertain_deletion_leaves_a_draft_with_its_id(topthink: Provider, sandbox: Sandbox) -> None:
    text = template(topthink)
    submit(text)
    sandbox.misbehave("topthink", LOST["502"])

    with pytest.raises(GatewayUncertain):
        delete(text)
    sandbox.behave()

    status, remote_id, _ = state_of(text)
    assert (status, bool(remote_id)) == (DRAFT, True)
    with pytest.raises(SubmissionRefused, match=remote_id):
        submit(text)
    with pytest.raises(GatewayRejected, match="记录不存在"):
        fetch(text)


# --------------------------------------------------------------------------------- refusals


@kinds
@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("action", [submit, resubmit, delete, fetch], ids=lambda action: action.__name__)
def test_a_refusal_changes_nothing_and_shows_the_vendors_message(
    action: Callable[[Any], Any], refusal: str, kind: str, topthink: Provider, sandbox: Sandbox
) -> None:
    text = MAKE[kind](topthink)
    if action is not submit:
        submit(text)
        set_verdict(sandbox, kind, text.remote_id, False, "缺公章")
        fetch(text)
    before = row(text)
    fault, error = REFUSALS[refusal]
    sandbox.misbehave("topthink", fault)

    with pytest.raises(error) as raised:
        action(text)

    assert row(text) == before
    assert str(raised.value)
    if refusal == "refused":
        assert (raised.value.error_code, str(raised.value)) == ("10002", "签名不存在或未通过审核")


@pytest.mark.parametrize("action", [submit, resubmit, delete, fetch], ids=lambda action: action.__name__)
def test_an_unreachable_vendor_changes_nothing(
    action: Callable[[Any], Any], topthink: Provider, sandbox: Sandbox, closed_port: int
) -> None:
    text = rejected(topthink, sandbox) if action is not submit else template(topthink)
    Provider.objects.update(base_url=f"http://127.0.0.1:{closed_port}")
    text.refresh_from_db()
    before = row(text)

    with pytest.raises(GatewayUnavailable):
        action(text)

    assert row(text) == before


@pytest.mark.parametrize(
    ("status", "remote_id", "action", "why"),
    [
        ("approved", "78", submit, "copy it as a new draft"),
        ("approved", "78", resubmit, "copy it as a new draft"),
        ("pending", "78", submit, "in review"),
        ("pending", "78", resubmit, "in review"),
        ("rejected", "78", submit, "submit it again"),
        ("rejected", "", resubmit, "copy it as a new draft"),
        ("draft", "", resubmit, "not submitted yet"),
        ("draft", "78", submit, "has the id 78"),
        ("draft", "", delete, "nothing to delete"),
        ("draft", "", fetch, "Enter the id"),
        ("draft", "", make_draft, "Only what was submitted"),
    ],
)
@kinds
def test_an_action_that_the_status_does_not_allow_is_refused(
    kind: str,
    status: str,
    remote_id: str,
    action: Callable[[Any], Any],
    why: str,
    topthink: Provider,
    sandbox: Sandbox,
) -> None:
    Signature.objects.all().update(remote_id="")
    text = MAKE[kind](topthink, status=status, remote_id=remote_id)
    before, exchanges = row(text), len(sandbox.exchanges)

    with pytest.raises(SubmissionRefused, match=why):
        action(text)

    assert row(text) == before
    assert len(sandbox.exchanges) == exchanges


@pytest.mark.parametrize("action", [resubmit, delete], ids=lambda action: action.__name__)
def test_a_text_whose_id_is_shared_is_not_changed(action: Any, topthink: Provider, sandbox: Sandbox) -> None:
    text = rejected(topthink, sandbox)
    copy_as_draft(text)
    Template.objects.filter(remote_id="").update(remote_id=text.remote_id, name="登录")

    with pytest.raises(SubmissionRefused, match="登录 has the same id"):
        action(text)


def test_a_remark_is_required_where_the_vendor_requires_one(topthink: Provider, sandbox: Sandbox) -> None:
    text = signature(topthink, remark="")

    with pytest.raises(GatewayRejected, match="remark"):
        submit(text)

    assert state_of(text) == (DRAFT, "", "")
    assert own(sandbox, "sign") == []


@pytest.mark.parametrize("gateway", ["veesing", "apispace", "qixuntong"])
@pytest.mark.parametrize("action", [submit, resubmit, delete, fetch], ids=lambda action: action.__name__)
@kinds
def test_a_vendor_without_a_review_api_is_answered_with_its_console(
    kind: str, action: Callable[[Any], Any], gateway: str, vendor: MakeProvider
) -> None:
    text = MAKE[kind](vendor(gateway), remote_id="1")

    with pytest.raises(SubmissionRefused, match="console"):
        action(text)


def test_nothing_is_submitted_inside_a_transaction(
    transactional_db: None, topthink: Provider, sandbox: Sandbox
) -> None:
    text = signature(topthink)
    for action in (submit, resubmit, delete):
        with pytest.raises(InsideTransaction), transaction.atomic():
            action(text)

    assert own(sandbox, "sign") == []


@pytest.mark.parametrize(
    ("make", "fields", "place"),
    [(signature, {"text": "示例测试站"}, "测试"), (template, {"content": "【站】验证码{code}"}, "【站】")],
)
def test_a_text_that_the_vendor_would_certainly_refuse_is_not_submitted(
    make: Any, fields: dict[str, str], place: str, topthink: Provider, sandbox: Sandbox
) -> None:
    text, exchanges = make(topthink, **fields), len(sandbox.exchanges)

    with pytest.raises(SubmissionRefused, match=f"would refuse.*{place}"):
        submit(text)
    type(text).objects.filter(pk=text.pk).update(status="rejected", remote_id="9")
    text.refresh_from_db()
    with pytest.raises(SubmissionRefused, match=f"would refuse.*{place}"):
        resubmit(text)

    assert len(sandbox.exchanges) == exchanges


def test_a_provider_with_a_missing_gateway_submits_nothing(topthink: Provider) -> None:
    Provider.objects.update(gateway="gone")

    with pytest.raises(SubmissionRefused, match="gone"):
        submit(Signature.objects.get())


# ------------------------------------------------------------------------------------------- import


def test_an_existing_text_is_imported_by_its_id(topthink: Provider) -> None:
    submitted = catalogue.TOPTHINK_NOTICE

    text = fetch(Template(provider=topthink, purpose="news", remote_id=submitted.id))

    assert (text.name, text.content, text.status) == ("发货通知", "{name}，您的订单已发货，请注意查收。", "approved")
    assert text.remark == catalogue.REMARK
    assert Template.objects.filter(pk=text.pk, variables={}).exists()


def test_an_imported_code_gets_our_name(topthink: Provider, sandbox: Sandbox) -> None:
    Template.objects.all().delete()
    name = fetch(Signature(provider=topthink, remote_id=catalogue.TOPTHINK_SIGN.id))
    text = Template(provider=topthink, purpose="login", remote_id="235", variables={"code": "yzm"}, signature=name)

    fetch(text)

    assert (text.content, text.variables) == ("验证码{code}，请勿泄露。", {"code": "yzm"})
    send_code(PHONE, "login")
    assert sandbox.inbox.of(PHONE[3:])[0].text.startswith("【示例站】验证码")


def test_fetching_keeps_the_variables_and_updates_the_content(topthink: Provider) -> None:
    text = template(topthink, remote_id="235", content="旧{code}", variables={"code": "yzm", "minutes": "m"})

    fetch(text)

    text.refresh_from_db()
    assert (text.content, text.variables, text.name) == ("验证码{code}，请勿泄露。", {"code": "yzm"}, "登录验证")


def test_an_unknown_id_is_not_imported(topthink: Provider) -> None:
    with pytest.raises(GatewayRejected, match="记录不存在"):
        fetch(Signature(provider=topthink, remote_id="no-such"))

    assert not Signature.objects.filter(remote_id="no-such").exists()


def test_a_text_that_cannot_be_stored_is_shown_and_not_imported(topthink: Provider, sandbox: Sandbox) -> None:
    """A code next to a variable that has no value."""
    other = template(topthink, content="验证码{code}，{name}")
    submit(other)

    with pytest.raises(SubmissionRefused, match=r"\{code\}，\{name\} — content: "):
        fetch(Template(provider=topthink, purpose="login", remote_id=other.remote_id))

    assert Template.objects.filter(remote_id=other.remote_id).count() == 1


def test_a_copy_is_a_draft_that_can_be_submitted(topthink: Provider, sandbox: Sandbox) -> None:
    approved = Template.objects.get()
    Template.objects.update(remark=REMARK)
    approved.refresh_from_db()
    before = row(approved)

    copy = copy_as_draft(approved)
    submit(copy)

    assert row(approved) == before
    assert state_of(copy)[0] == PENDING
    assert copy.content == approved.content
    assert copy.pk != approved.pk


# ------------------------------------------------------------------------------------------- ihuyi


@pytest.mark.parametrize("options", [{}, {"password": "plain"}, {"format": "xml"}], ids=str)
@pytest.mark.parametrize(
    ("content", "submitted"),
    [
        ("您的验证码是：{code}。请勿泄露。", "您的验证码是：【变量】。请勿泄露。"),
        (CODE, "您的验证码是【变量1】，【变量2】分钟内有效。"),
        ("维护已完成。", "维护已完成。"),
    ],
)
def test_ihuyi_accepts_templates(
    content: str, submitted: str, options: dict[str, str], vendor: MakeProvider, sandbox: Sandbox
) -> None:
    text = template(vendor("ihuyi", options=options), content=content)

    submit(text)

    ((remote_id, at_vendor, _),) = own(sandbox, "template", "ihuyi")
    assert state_of(text) == (PENDING, remote_id, "")
    assert at_vendor == submitted


def test_a_verdict_of_ihuyi_comes_by_push_only(
    vendor: MakeProvider, sandbox: Sandbox, site: Site, transactional_db: None
) -> None:
    provider = vendor("ihuyi")
    sandbox.webhooks["ihuyi"] = f"{site.url}/sms/webhooks/ihuyi/{provider.webhook_secret}/"
    text = template(provider, content="维护已完成。")
    submit(text)

    sandbox.judge("ihuyi", "template", text.remote_id, True)
    sandbox.flush()

    assert state_of(text) == ("approved", text.remote_id, "")
    (message,) = send_message(template_with_signature(text), {PHONE: {}})
    assert message.status == "accepted"


def template_with_signature(text: Template) -> Template:
    Template.objects.filter(pk=text.pk).update(signature=Signature.objects.get())
    text.refresh_from_db()
    return text


def test_a_verdict_before_the_id_is_known_gets_503(
    vendor: MakeProvider, sandbox: Sandbox, site: Site, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = vendor("ihuyi")
    url = f"{site.url}/sms/webhooks/ihuyi/{provider.webhook_secret}/"
    text, gateway = template(provider), type(provider.gateway_client())
    parse, answers = gateway.parse_submit, []

    def judge_at_once(self: Any, *answer: Any) -> str:
        remote_id: str = parse(self, *answer)
        answers.append(requests.post(url, {"code": "2", "msg": "审核通过", "templateid": remote_id}, timeout=20))
        return remote_id

    monkeypatch.setattr(gateway, "parse_submit", judge_at_once)
    submit(text)

    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in answers] == [(503, "60")]
    assert state_of(text)[0] == PENDING
    again = requests.post(url, {"code": "2", "msg": "审核通过", "templateid": text.remote_id}, timeout=20)
    assert (again.text, state_of(text)[0]) == ("success", "approved")


def test_a_verdict_long_after_a_lost_answer_is_ignored(vendor: MakeProvider) -> None:
    provider = vendor("ihuyi")
    text = template(provider, status=PENDING, poll_at=timezone.now() - timedelta(seconds=1))

    store_review_result(
        provider, ReviewEvent(submission=Submission.TEMPLATE, remote_id="2009", status=ReviewStatus.APPROVED)
    )

    assert state_of(text)[0] == PENDING


def test_a_refusal_of_ihuyi_changes_nothing(vendor: MakeProvider, sandbox: Sandbox) -> None:
    text = template(vendor("ihuyi"), content="贷款验证码{code}")
    before = row(text)

    with pytest.raises(GatewayRejected) as raised:
        submit(text)

    assert (raised.value.error_code, row(text)) == ("407", before)


def test_a_rejected_template_of_ihuyi_has_to_be_copied(vendor: MakeProvider) -> None:
    text = template(vendor("ihuyi"), status="rejected", remote_id="2009")

    for action in (submit, resubmit):
        with pytest.raises(SubmissionRefused, match=r"copy it|console"):
            action(text)


@kinds
def test_no_action_reads_a_replica(kind: str, topthink: Provider, sandbox: Sandbox) -> None:
    """A replica that lags shows a draft that is already submitted, and a refusal would not restore the row."""
    text = MAKE[kind](topthink)
    with override_settings(DATABASE_ROUTERS=["tests.test_submissions.ReplicaIsAway"]):
        sandbox.misbehave("topthink", Fault.refuse("10002"), times=1)
        with pytest.raises(GatewayRejected):
            submit(text)
        assert text.status == DRAFT
        submit(text)
        set_verdict(sandbox, kind, text.remote_id, False, "缺公章")
        fetch(text)
        resubmit(text)
        delete(text)

    assert state_of(text) == (DRAFT, "", "")
