"""The reviewers of the demo's vendors: what visitors submit in the admin is decided after some seconds."""

from __future__ import annotations

import pytest
from demo.reviewers import PAUSE, Reviewers
from sandbox.reviews import APPROVED, IN_REVIEW, REJECTED
from sandbox.server import Sandbox

from django_smsverify.models import Provider, Signature
from django_smsverify.reviews.actions import submit
from tests.conftest import MakeProvider


def submitted(provider: Provider, text: str) -> str:
    """Submits a signature, and returns its id at the vendor."""
    signature = Signature.objects.create(provider=provider, text=text, remark="用于示例站登录")
    submit(signature)
    signature.refresh_from_db()
    return signature.remote_id


@pytest.mark.django_db(transaction=True)
def test_they_decide_what_visitors_submit_after_a_pause(vendor: MakeProvider, sandbox: Sandbox) -> None:
    topthink = vendor("topthink")
    reviewers = Reviewers(sandbox)
    good, bad = submitted(topthink, "新站"), submitted(topthink, "中奖通知")

    def verdicts() -> list[int]:
        known = {remote_id: status for remote_id, _text, status in sandbox.submitted("topthink", "sign")}
        return [known[good], known[bad]]

    reviewers.work(100)
    reviewers.work(100 + PAUSE - 1)
    assert verdicts() == [IN_REVIEW, IN_REVIEW]

    reviewers.work(100 + PAUSE)
    assert verdicts() == [APPROVED, REJECTED]


def test_what_the_vendors_begin_with_stays_in_review(sandbox: Sandbox) -> None:
    before = sandbox.submitted("ihuyi", "template")
    reviewers = Reviewers(sandbox)

    for now in (0, PAUSE, 2 * PAUSE):
        reviewers.work(now)

    assert sandbox.submitted("ihuyi", "template") == before
    assert IN_REVIEW in [status for _id, _text, status in before]
