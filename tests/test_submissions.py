"""The operator's moves in a vendor's review, over real HTTP: what is submitted, and how often."""

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
"""What happens to an answer after the vendor has done what was asked; garbage is all that comes of the third."""
REFUSING = {
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


def now(text: Text) -> tuple[str, str, str]:
    text.refresh_from_db()
    return text.status, text.remote_id, text.reason


def row(text: Text) -> Any:
    return type(text).objects.filter(pk=text.pk).values().get()


def own(sandbox: Sandbox, kind: Any, vendor: str = "topthink") -> list[tuple[str, str, int]]:
    """What was submitted there beyond what the vendor knew from the start."""
    first = {sign.id for sign in (*catalogue.TOPTHINK_SIGNS, *catalogue.TOPTHINK_TEMPLATES, *catalogue.IHUYI_TEMPLATES)}
    return [entry for entry in sandbox.submitted(vendor, kind) if entry[0] not in first]


def judge(sandbox: Sandbox, kind: Any, remote_id: str, approved: bool, reason: str = "") -> None:
    sandbox.judge("topthink", kind, remote_id, approved, reason)


class ReplicaIsAway:
    """A router whose replica cannot be read: whoever decides by it fails."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "replica" if model in (Signature, Template) else None


# ---------------------------------------------------------------------------------- the whole life


@kinds
@pytest.mark.parametrize("options", [{"http_method": "GET", "auth": "query"}, {}], ids=["GET", "POST"])
def test_a_text_lives_from_draft_to_its_deletion(
    kind: str, options: dict[str, str], vendor: MakeProvider, sandbox: Sandbox
) -> None:
    text = MAKE[kind](vendor("topthink", options=options))

    submit(text)
    ((remote_id, words, state),) = own(sandbox, kind)
    assert now(text) == (PENDING, remote_id, "")
    assert (words, state) == ("新站" if kind == "sign" else "您的验证码是${code}，${minutes}分钟内有效。", IN_REVIEW)

    judge(sandbox, kind, remote_id, False, "请提供网址或公众号")
    fetch(text)
    assert now(text) == ("rejected", remote_id, "请提供网址或公众号")

    type(text).objects.update(**{"text": "更新站"} if kind == "sign" else {"content": "动态码{code}"})
    text.refresh_from_db()
    resubmit(text)
    assert now(text) == (PENDING, remote_id, "")
    assert own(sandbox, kind) == [(remote_id, "更新站" if kind == "sign" else "动态码${code}", IN_REVIEW)]

    judge(sandbox, kind, remote_id, True)
    fetch(text)
    assert now(text) == ("approved", remote_id, "")

    delete(text)
    assert now(text) == (DRAFT, "", "")
    assert own(sandbox, kind) == []


def test_what_was_filed_sends_once_it_is_approved(topthink: Provider, sandbox: Sandbox) -> None:
    name, text = signature(topthink), template(topthink, content="验证码{code}", variables={"code": "yzm"})
    for each in (name, text):
        submit(each)
    Template.objects.filter(pk=text.pk).update(signature=name)
    for kind, each in (("sign", name), ("template", text)):
        judge(sandbox, kind, each.remote_id, True)
    Template.objects.exclude(pk=text.pk).delete()
    Template.objects.filter(pk=text.pk).update(poll_at=None)
    Signature.objects.filter(pk=name.pk).update(poll_at=None)

    assert poll()["reviewed"] == 2
    verification = send_code(PHONE, "payment")

    assert sandbox.inbox.of(PHONE[3:])[-1].text == f"【新站】验证码{verification.derive_code()}"


def test_the_state_follows_the_pushes(
    topthink: Provider, sandbox: Sandbox, site: Site, settings: Any, transactional_db: None
) -> None:
    sandbox.webhooks["topthink"] = f"{site.url}/sms/webhooks/topthink/{topthink.webhook_secret}/"
    text = template(topthink)
    submit(text)

    judge(sandbox, "template", text.remote_id, False, "缺公章")
    sandbox.flush()
    assert now(text)[::2] == ("rejected", "缺公章")

    resubmit(text)
    judge(sandbox, "template", text.remote_id, True)
    sandbox.flush()
    assert now(text)[::2] == ("approved", "")


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_pushes_in_any_order_end_in_the_vendors_truth(
    order: tuple[int, ...], topthink: Provider, sandbox: Sandbox
) -> None:
    text = template(topthink)
    submit(text)
    judge(sandbox, "template", text.remote_id, False, "一")
    resubmit_as_vendor_sees(text, sandbox)
    judge(sandbox, "template", text.remote_id, True)
    told = [
        ReviewEvent(submission=Submission.TEMPLATE, remote_id=text.remote_id, status=status, reason=reason)
        for status, reason in ((PENDING, ""), (ReviewStatus.REJECTED, "一"), (ReviewStatus.APPROVED, ""))
    ]

    for place in order:
        store_review_result(topthink, told[place])

    assert now(text) == ("approved", text.remote_id, "")


def resubmit_as_vendor_sees(text: Text, sandbox: Sandbox) -> None:
    fetch(text)
    resubmit(text)


# ----------------------------------------------------------------------------- nothing submitted twice


@kinds
@pytest.mark.parametrize("fault", ["502", "reset"])
def test_what_is_filed_while_the_answer_is_lost_is_not_filed_again(
    kind: str, fault: str, topthink: Provider, sandbox: Sandbox
) -> None:
    text = MAKE[kind](topthink)
    sandbox.misbehave("topthink", LOST[fault])

    with pytest.raises(GatewayUncertain):
        submit(text)
    sandbox.behave()

    assert now(text) == (PENDING, "", "")
    assert "make it a draft again" in what_was_lost(text)
    with pytest.raises(SubmissionRefused, match="answer was lost"):
        submit(text)
    with pytest.raises(SubmissionRefused):
        resubmit(text)
    said = StringIO()
    call_command("smsverify_poll", stdout=said)
    assert "1 texts were submitted and the vendor's answer was lost: see the admin" in said.getvalue()
    assert len(own(sandbox, kind)) == 1
    assert now(text) == (PENDING, "", "")


@kinds
def test_a_push_brings_the_id_that_was_lost(kind: Any, topthink: Provider, sandbox: Sandbox) -> None:
    text, other = MAKE[kind](topthink), MAKE[kind](topthink, **{"text": "别站"} if kind == "sign" else {"name": "别"})
    sandbox.misbehave("topthink", LOST["502"])
    for each in (text, other):
        with pytest.raises(GatewayUncertain):
            submit(each)
    sandbox.behave()
    remote_id = own(sandbox, kind)[0][0]

    judge(sandbox, kind, remote_id, True)
    store_review_result(topthink, pushed(sandbox, kind, remote_id))

    assert now(text) == ("approved", remote_id, "")
    assert now(other) == (PENDING, "", "")


def pushed(sandbox: Sandbox, kind: Any, remote_id: str) -> ReviewEvent:
    """What the vendor tells of its own accord, as our gateway reads it."""
    provider = Provider.objects.get(gateway="topthink")
    return provider.gateway_client().ask_review(
        Submission.SIGNATURE if kind == "sign" else Submission.TEMPLATE, remote_id
    )


@pytest.mark.parametrize("twins", [2, 3])
def test_of_twins_a_push_names_none(twins: int, topthink: Provider, sandbox: Sandbox) -> None:
    texts = [signature(topthink) for _ in range(twins)]
    sandbox.misbehave("topthink", LOST["502"])
    for text in texts:
        with pytest.raises(GatewayUncertain):
            submit(text)
    sandbox.behave()

    store_review_result(topthink, pushed(sandbox, "sign", own(sandbox, "sign")[0][0]))

    assert {now(text) for text in texts} == {(PENDING, "", "")}


def test_a_forged_push_names_nothing(topthink: Provider, sandbox: Sandbox) -> None:
    text = signature(topthink, status=PENDING)

    for remote_id in (catalogue.TOPTHINK_UNAPPROVED_SIGN.id, "99999"):
        event = ReviewEvent(
            submission=Submission.SIGNATURE, remote_id=remote_id, status=ReviewStatus.APPROVED, text="新站"
        )
        store_review_result(topthink, event)

    assert now(text) == (PENDING, "", "")


@kinds
def test_a_lost_one_that_is_not_there_is_filed_again_once_somebody_has_looked(
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
def test_what_is_being_filed_is_not_lost_yet(
    kind: str, topthink: Provider, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who makes it a draft again while the vendor is at it would submit it twice."""
    text = MAKE[kind](topthink)
    gateway = type(topthink.gateway_client())
    file = gateway.submit

    def meanwhile(self: Any, draft: Any) -> str:
        seen = type(text).objects.get(pk=text.pk)
        assert what_was_lost(seen) == ""
        with pytest.raises(SubmissionRefused, match="in a minute"):
            make_draft(seen)
        return file(self, draft)

    monkeypatch.setattr(gateway, "submit", meanwhile)
    submit(text)

    assert len(own(sandbox, kind)) == 1


def test_what_another_has_taken_is_not_filed_by_a_second(topthink: Provider, sandbox: Sandbox) -> None:
    text = signature(topthink)
    twin = Signature.objects.get(pk=text.pk)

    submit(text)
    with pytest.raises(SubmissionRefused, match="Somebody else"):
        submit(twin)

    assert len(own(sandbox, "sign")) == 1


def test_what_was_changed_meanwhile_is_not_filed_as_it_was(topthink: Provider, sandbox: Sandbox) -> None:
    text = signature(topthink)
    Signature.objects.update(text="改名站")

    with pytest.raises(SubmissionRefused, match="Somebody else"):
        submit(text)

    assert own(sandbox, "sign") == []


@kinds
def test_a_lost_answer_to_a_change_is_asked_for(kind: str, topthink: Provider, sandbox: Sandbox) -> None:
    text = MAKE[kind](topthink)
    submit(text)
    judge(sandbox, kind, text.remote_id, False, "缺公章")
    fetch(text)
    sandbox.misbehave("topthink", LOST["502"])

    with pytest.raises(GatewayUncertain):
        resubmit(text)
    sandbox.behave()
    assert now(text)[0] == PENDING

    judge(sandbox, kind, text.remote_id, True)
    type(text).objects.update(poll_at=None)
    poll()
    assert now(text)[0] == "approved"


def test_a_change_that_never_came_there_ends_as_rejected_again(topthink: Provider, sandbox: Sandbox) -> None:
    text = rejected(topthink, sandbox)
    sandbox.misbehave("topthink", Fault.status(500))
    with pytest.raises(GatewayUncertain):
        resubmit(text)
    sandbox.behave()
    Template.objects.update(poll_at=None)

    poll()

    assert now(text)[::2] == ("rejected", "缺公章")


def rejected(provider: Provider, sandbox: Sandbox) -> Template:
    text = template(provider)
    submit(text)
    judge(sandbox, "template", text.remote_id, False, "缺公章")
    return fetch(text)


def test_what_the_vendor_said_before_a_change_does_not_count_after_it(
    topthink: Provider, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that was on its way while the text was submitted again."""
    text = rejected(topthink, sandbox)
    gateway = topthink.gateway_client()
    ask = gateway.ask_review

    def overtaken(*question: Any) -> ReviewEvent:
        answer = ask(*question)
        resubmit(Template.objects.get(pk=text.pk))
        return answer

    monkeypatch.setattr(type(gateway), "ask_review", lambda self, *question: overtaken(*question))
    fetch(Template.objects.get(pk=text.pk))

    assert now(text)[0] == PENDING


def test_what_the_vendor_says_before_it_takes_a_change_is_asked_for_again(
    topthink: Provider, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old verdict, told between our claim and the vendor's answer."""
    text = rejected(topthink, sandbox)
    gateway = type(topthink.gateway_client())
    change = gateway.resubmit

    def overtaken(self: Any, draft: Any) -> None:
        fetch(Template.objects.get(pk=text.pk))
        change(self, draft)

    monkeypatch.setattr(gateway, "resubmit", overtaken)
    resubmit(text)
    judge(sandbox, "template", text.remote_id, True)
    Template.objects.filter(poll_at__isnull=False).update(poll_at=timezone.now())
    poll()

    assert now(text)[0] == "approved"


@kinds
@pytest.mark.parametrize("fault", [None, "502"])
def test_a_verdict_that_comes_during_the_deletion_is_forgotten_with_the_text(
    kind: str, fault: str | None, topthink: Provider, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = MAKE[kind](topthink)
    submit(text)
    judge(sandbox, kind, text.remote_id, True)
    fetch(text)
    gateway = type(topthink.gateway_client())
    erase = gateway.delete

    def overtaken(self: Any, submission: Submission, remote_id: str) -> None:
        event = ReviewEvent(submission=submission, remote_id=remote_id, status=ReviewStatus.APPROVED)
        store_review_result(topthink, event)
        if fault is not None:
            sandbox.misbehave("topthink", LOST[fault], times=1)
        erase(self, submission, remote_id)

    monkeypatch.setattr(gateway, "delete", overtaken)
    delete(text)

    assert now(text) == (DRAFT, "", "")
    assert row(text)["poll_at"] is None


@kinds
@pytest.mark.parametrize("fault", ["502", "reset"])
def test_a_deletion_whose_answer_is_lost_is_found_out(
    kind: str, fault: str, topthink: Provider, sandbox: Sandbox
) -> None:
    text = MAKE[kind](topthink)
    submit(text)
    sandbox.misbehave("topthink", LOST[fault], times=1)

    delete(text)

    assert now(text) == (DRAFT, "", "")
    assert own(sandbox, kind) == []


def test_a_deletion_that_never_came_there_leaves_the_row_as_it_was(topthink: Provider, sandbox: Sandbox) -> None:
    text = rejected(topthink, sandbox)
    before = row(text)
    sandbox.misbehave("topthink", Fault.status(500), times=1)

    with pytest.raises(GatewayUncertain):
        delete(text)

    assert row(text) == before
    assert len(own(sandbox, "template")) == 1


def test_a_deletion_nobody_can_tell_of_leaves_what_is_not_used_and_has_its_id(
    topthink: Provider, sandbox: Sandbox
) -> None:
    text = template(topthink)
    submit(text)
    sandbox.misbehave("topthink", LOST["502"])

    with pytest.raises(GatewayUncertain):
        delete(text)
    sandbox.behave()

    status, remote_id, _ = now(text)
    assert (status, bool(remote_id)) == (DRAFT, True)
    with pytest.raises(SubmissionRefused, match=remote_id):
        submit(text)
    with pytest.raises(GatewayRejected, match="记录不存在"):
        fetch(text)


# --------------------------------------------------------------------------------- what is refused


@kinds
@pytest.mark.parametrize("refusal", REFUSING)
@pytest.mark.parametrize("move", [submit, resubmit, delete, fetch], ids=lambda move: move.__name__)
def test_a_refusal_leaves_the_row_as_it_was_and_tells_the_vendors_words(
    move: Callable[[Any], Any], refusal: str, kind: str, topthink: Provider, sandbox: Sandbox
) -> None:
    text = MAKE[kind](topthink)
    if move is not submit:
        submit(text)
        judge(sandbox, kind, text.remote_id, False, "缺公章")
        fetch(text)
    before = row(text)
    fault, error = REFUSING[refusal]
    sandbox.misbehave("topthink", fault)

    with pytest.raises(error) as raised:
        move(text)

    assert row(text) == before
    assert str(raised.value)
    if refusal == "refused":
        assert (raised.value.error_code, str(raised.value)) == ("10002", "签名不存在或未通过审核")


@pytest.mark.parametrize("move", [submit, resubmit, delete, fetch], ids=lambda move: move.__name__)
def test_a_vendor_that_cannot_be_reached_leaves_the_row_as_it_was(
    move: Callable[[Any], Any], topthink: Provider, sandbox: Sandbox, closed_port: int
) -> None:
    text = rejected(topthink, sandbox) if move is not submit else template(topthink)
    Provider.objects.update(base_url=f"http://127.0.0.1:{closed_port}")
    text.refresh_from_db()
    before = row(text)

    with pytest.raises(GatewayUnavailable):
        move(text)

    assert row(text) == before


@pytest.mark.parametrize(
    ("status", "remote_id", "move", "why"),
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
def test_what_the_vendor_forbids_is_refused_here(
    kind: str,
    status: str,
    remote_id: str,
    move: Callable[[Any], Any],
    why: str,
    topthink: Provider,
    sandbox: Sandbox,
) -> None:
    Signature.objects.all().update(remote_id="")
    text = MAKE[kind](topthink, status=status, remote_id=remote_id)
    before, exchanges = row(text), len(sandbox.exchanges)

    with pytest.raises(SubmissionRefused, match=why):
        move(text)

    assert row(text) == before
    assert len(sandbox.exchanges) == exchanges


@pytest.mark.parametrize("move", [resubmit, delete], ids=lambda move: move.__name__)
def test_what_two_rows_share_is_not_changed_for_one(move: Any, topthink: Provider, sandbox: Sandbox) -> None:
    text = rejected(topthink, sandbox)
    copy_as_draft(text)
    Template.objects.filter(remote_id="").update(remote_id=text.remote_id, name="登录")

    with pytest.raises(SubmissionRefused, match="登录 has the same id"):
        move(text)


def test_a_remark_is_wanted_where_the_vendor_wants_one(topthink: Provider, sandbox: Sandbox) -> None:
    text = signature(topthink, remark="")

    with pytest.raises(GatewayRejected, match="remark"):
        submit(text)

    assert now(text) == (DRAFT, "", "")
    assert own(sandbox, "sign") == []


@pytest.mark.parametrize("gateway", ["veesing", "apispace", "qixuntong"])
@pytest.mark.parametrize("move", [submit, resubmit, delete, fetch], ids=lambda move: move.__name__)
@kinds
def test_where_the_vendor_has_no_such_way_the_console_is_named(
    kind: str, move: Callable[[Any], Any], gateway: str, vendor: MakeProvider
) -> None:
    text = MAKE[kind](vendor(gateway), remote_id="1")

    with pytest.raises(SubmissionRefused, match="console"):
        move(text)


def test_nothing_is_filed_in_a_transaction_that_may_be_undone(
    transactional_db: None, topthink: Provider, sandbox: Sandbox
) -> None:
    text = signature(topthink)
    for move in (submit, resubmit, delete):
        with pytest.raises(InsideTransaction), transaction.atomic():
            move(text)

    assert own(sandbox, "sign") == []


@pytest.mark.parametrize(
    ("make", "words", "place"),
    [(signature, {"text": "示例测试站"}, "测试"), (template, {"content": "【站】验证码{code}"}, "【站】")],
)
def test_what_the_vendor_would_refuse_for_certain_is_not_filed(
    make: Any, words: dict[str, str], place: str, topthink: Provider, sandbox: Sandbox
) -> None:
    text, exchanges = make(topthink, **words), len(sandbox.exchanges)

    with pytest.raises(SubmissionRefused, match=f"would refuse.*{place}"):
        submit(text)
    type(text).objects.filter(pk=text.pk).update(status="rejected", remote_id="9")
    text.refresh_from_db()
    with pytest.raises(SubmissionRefused, match=f"would refuse.*{place}"):
        resubmit(text)

    assert len(sandbox.exchanges) == exchanges


def test_a_provider_whose_gateway_is_gone_files_nothing(topthink: Provider) -> None:
    Provider.objects.update(gateway="gone")

    with pytest.raises(SubmissionRefused, match="gone"):
        submit(Signature.objects.get())


# ------------------------------------------------------------------------------------------- import


def test_what_is_there_already_is_imported_by_its_id(topthink: Provider) -> None:
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


def test_fetching_keeps_our_names_and_takes_the_vendors_words(topthink: Provider) -> None:
    text = template(topthink, remote_id="235", content="旧{code}", variables={"code": "yzm", "minutes": "m"})

    fetch(text)

    text.refresh_from_db()
    assert (text.content, text.variables, text.name) == ("验证码{code}，请勿泄露。", {"code": "yzm"}, "登录验证")


def test_what_nobody_knows_is_not_imported(topthink: Provider) -> None:
    with pytest.raises(GatewayRejected, match="记录不存在"):
        fetch(Signature(provider=topthink, remote_id="no-such"))

    assert not Signature.objects.filter(remote_id="no-such").exists()


def test_what_cannot_be_stored_is_shown_and_not_imported(topthink: Provider, sandbox: Sandbox) -> None:
    """A code beside a variable that nothing fills in."""
    other = template(topthink, content="{code}，{name}")
    submit(other)

    with pytest.raises(SubmissionRefused, match=r"\{code\}，\{name\}"):
        fetch(Template(provider=topthink, purpose="login", remote_id=other.remote_id))

    assert Template.objects.filter(remote_id=other.remote_id).count() == 1


def test_a_copy_is_a_draft_that_can_be_filed(topthink: Provider, sandbox: Sandbox) -> None:
    approved = Template.objects.get()
    Template.objects.update(remark=REMARK)
    approved.refresh_from_db()
    before = row(approved)

    copy = copy_as_draft(approved)
    submit(copy)

    assert row(approved) == before
    assert now(copy)[0] == PENDING
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
def test_ihuyi_takes_templates(
    content: str, submitted: str, options: dict[str, str], vendor: MakeProvider, sandbox: Sandbox
) -> None:
    text = template(vendor("ihuyi", options=options), content=content)

    submit(text)

    ((remote_id, words, _),) = own(sandbox, "template", "ihuyi")
    assert now(text) == (PENDING, remote_id, "")
    assert words == submitted


def test_ihuyis_verdict_comes_by_push_alone(
    vendor: MakeProvider, sandbox: Sandbox, site: Site, transactional_db: None
) -> None:
    provider = vendor("ihuyi")
    sandbox.webhooks["ihuyi"] = f"{site.url}/sms/webhooks/ihuyi/{provider.webhook_secret}/"
    text = template(provider, content="维护已完成。")
    submit(text)

    sandbox.judge("ihuyi", "template", text.remote_id, True)
    sandbox.flush()

    assert now(text) == ("approved", text.remote_id, "")
    (message,) = send_message(template_with_signature(text), {PHONE: {}})
    assert message.status == "accepted"


def template_with_signature(text: Template) -> Template:
    Template.objects.filter(pk=text.pk).update(signature=Signature.objects.get())
    text.refresh_from_db()
    return text


def test_a_verdict_before_the_answer_with_the_id_is_asked_for_again(
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
    assert now(text)[0] == PENDING
    again = requests.post(url, {"code": "2", "msg": "审核通过", "templateid": text.remote_id}, timeout=20)
    assert (again.text, now(text)[0]) == ("success", "approved")


def test_a_verdict_on_what_was_lost_long_ago_is_not_waited_for(vendor: MakeProvider) -> None:
    provider = vendor("ihuyi")
    text = template(provider, status=PENDING, poll_at=timezone.now() - timedelta(seconds=1))

    store_review_result(
        provider, ReviewEvent(submission=Submission.TEMPLATE, remote_id="2009", status=ReviewStatus.APPROVED)
    )

    assert now(text)[0] == PENDING


def test_ihuyi_refuses_and_the_row_is_as_it_was(vendor: MakeProvider, sandbox: Sandbox) -> None:
    text = template(vendor("ihuyi"), content="贷款验证码{code}")
    before = row(text)

    with pytest.raises(GatewayRejected) as raised:
        submit(text)

    assert (raised.value.error_code, row(text)) == ("407", before)


def test_ihuyis_rejected_template_is_copied(vendor: MakeProvider) -> None:
    text = template(vendor("ihuyi"), status="rejected", remote_id="2009")

    for move in (submit, resubmit):
        with pytest.raises(SubmissionRefused, match=r"copy it|console"):
            move(text)


@kinds
def test_no_move_is_decided_by_a_replica(kind: str, topthink: Provider, sandbox: Sandbox) -> None:
    """One that lags shows a draft where one is submitted, and nothing would be put back after a refusal."""
    text = MAKE[kind](topthink)
    with override_settings(DATABASE_ROUTERS=["tests.test_submissions.ReplicaIsAway"]):
        sandbox.misbehave("topthink", Fault.refuse("10002"), times=1)
        with pytest.raises(GatewayRejected):
            submit(text)
        assert text.status == DRAFT
        submit(text)
        judge(sandbox, kind, text.remote_id, False, "缺公章")
        fetch(text)
        resubmit(text)
        delete(text)

    assert now(text) == (DRAFT, "", "")
