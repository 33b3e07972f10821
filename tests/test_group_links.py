"""Whoever is in a group of `smsverify_groups` meets no link of ours that is closed to it."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from urllib.parse import urljoin, urlsplit
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from django_smsverify.enums import AlertKind, ReviewStatus
from django_smsverify.management.groups import GROUPS
from django_smsverify.models import Alert, DeliveryReport, Message, Provider, Reply, Signature, Template
from django_smsverify.sending import send_code

from .conftest import MakeProvider, add_template
from .test_permissions import rows  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)

START = "/admin/smsverify/"
LINK = re.compile(r'<a\b[^>]*\bhref="([^"#]*)"')


@pytest.fixture
def busy(rows: Provider, memory: MakeProvider) -> Provider:  # noqa: F811
    """A site where everything has something to be looked after."""
    second = memory("login", slug="bureau", priority=2)
    send_code("+8613900139000", "login")
    sms = Message.objects.latest("created_at")
    own = {"provider": sms.provider, "phone": sms.phone, "message": sms, "fingerprint": UUID(int=7)}
    DeliveryReport.objects.create(outcome="undelivered", source="push", code="SIGNERR", **own)
    Reply.objects.create(content="T", **own)
    Message.objects.update(status="not_sent", created_at=timezone.now() - timedelta(minutes=5))
    add_template(second, "orphan", "验证码{code}", "", status=ReviewStatus.REJECTED)
    Signature.objects.filter(provider=second).update(status=ReviewStatus.PENDING)
    Template.objects.filter(purpose="login", provider=second).update(status=ReviewStatus.PENDING)
    Alert.objects.create(kind=AlertKind.POLL, title="SMS: the poll has not run", body="-", told_at=timezone.now())
    return second


def closed_links(client: Client) -> list[str]:
    """The links of ours that a person meets and may not follow, each with the page where it stands.

    A page is followed once, whatever its query: filters of a list lead to all their combinations.
    """
    seen, waiting, closed = {START}, [START], []
    while waiting:
        page = waiting.pop()
        answer = client.get(page, follow=True)
        found = [urljoin(page, unescape(link)) for link in LINK.findall(answer.content.decode(errors="replace"))]
        for link in dict.fromkeys(found):
            target = urlsplit(link)
            if target.path in seen or not target.path.startswith(START):
                continue
            seen.add(target.path)
            status = client.get(link).status_code
            if status >= 400:
                closed.append(f"{link} ({status}) on {page}")
            elif "/export/" not in link:
                waiting.append(link)
    assert len(seen) > 5
    return closed


@pytest.mark.slow
@pytest.mark.parametrize("role", GROUPS)
def test_no_link_of_a_page_is_closed_to_who_sees_it(role: str, busy: Provider) -> None:
    call_command("smsverify_groups", verbosity=0)
    user = User.objects.create_user("somebody", is_staff=True)
    user.groups.add(Group.objects.get(name=f"SMS {role}"))
    client = Client()
    client.force_login(user)

    assert "\n".join(closed_links(client)) == ""
