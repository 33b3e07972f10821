"""The rows that the demo needs: an account, a signature and templates at each vendor, and an admin."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from django.contrib.auth import get_user_model
from sandbox import catalogue

from django_smsverify.enums import ReviewStatus
from django_smsverify.models import Provider, Signature, Template

FIVE_MINUTES = "您的验证码是{code}，5分钟内有效。"
PURPOSES = ("login", "reset", "pay", "number")
"""What codes are asked for in the four scenes."""
NOTICE = "shipped"
"""The purpose of a text for many."""


@dataclass(frozen=True, slots=True)
class Account:
    """The values entered in the admin for one vendor."""

    slug: str
    name: str
    native_name: str
    price: Decimal
    template_id: str = ""
    notice_id: str | None = None
    """The id of the notice; None where the vendor has none, empty where it has no ids."""
    signature_id: str = ""
    priority: int = 100
    content: str = catalogue.CODE_TEXT
    addresses: tuple[str, ...] = ()
    """Options that contain a host of the vendor, in addition to the base URL."""
    options: Mapping[str, str] = field(default_factory=dict)
    """More options without which the account cannot send."""


ACCOUNTS = (
    Account(
        slug="topthink",
        name="TopThink",
        native_name="顶想云",
        price=Decimal("0.0450"),
        template_id=catalogue.TOPTHINK_CODE.id,
        notice_id=catalogue.TOPTHINK_NOTICE.id,
        signature_id=catalogue.TOPTHINK_SIGN.id,
    ),
    Account(
        slug="veesing",
        name="10658",
        native_name="中昱维信",
        price=Decimal("0.0420"),
        template_id=catalogue.VEESING_CODE.id,
        content=FIVE_MINUTES,
    ),
    Account(
        slug="apispace",
        name="APISpace",
        native_name="Eolink",
        price=Decimal("0.0480"),
        notice_id="",
        addresses=("report_host",),
    ),
    Account(
        slug="ihuyi",
        name="ihuyi",
        native_name="互亿无线",
        price=Decimal("0.0500"),
        template_id=catalogue.IHUYI_CODE.id,
        notice_id=catalogue.IHUYI_NOTICE.id,
    ),
    Account(slug="qixuntong", name="Qixuntong", native_name="企讯通", price=Decimal("0.0380"), notice_id=""),
    Account(
        slug="aliyun",
        name="Aliyun",
        native_name="阿里云",
        price=Decimal("0.0450"),
        template_id=catalogue.ALIYUN_CODE.id,
        notice_id=catalogue.ALIYUN_NOTICE.id,
        signature_id=catalogue.ALIYUN_SIGN.id,
        priority=2,
    ),
    Account(
        slug="aliyun_pnvs",
        name="Aliyun",
        native_name="短信认证",
        price=Decimal("0.0450"),
        template_id=catalogue.PNVS_CODE.id,
        signature_id=catalogue.SIGNATURE,
    ),
    Account(
        slug="tencent",
        name="Tencent Cloud",
        native_name="腾讯云",
        price=Decimal("0.0450"),
        template_id=catalogue.TENCENT_CODE.id,
        notice_id=catalogue.TENCENT_NOTICE.id,
        signature_id=catalogue.TENCENT_SIGN.id,
        priority=1,
    ),
    Account(slug="twilio", name="Twilio", native_name="", price=Decimal("0.2100")),
)


def seed(base_urls: Mapping[str, str]) -> None:
    """Adds missing rows; keeps changes made in the admin, except the connection to the vendor."""
    for account in ACCOUNTS:
        provider = _provider(account, base_urls[account.slug])
        names = Signature.objects.filter(provider=provider, text=catalogue.SIGNATURE)
        # Visitors may have added more signatures with this text in the admin.
        signature = names.first() or names.create(
            provider=provider,
            text=catalogue.SIGNATURE,
            remote_id=account.signature_id,
            status=ReviewStatus.APPROVED,
        )
        for purpose in (*PURPOSES, f"login-{account.slug}"):
            _add_template(signature, purpose, account.content, account.template_id)
        if account.notice_id is not None:
            _add_template(signature, NOTICE, catalogue.NOTICE_TEXT, account.notice_id)


def _add_template(signature: Signature, purpose: str, content: str, remote_id: str) -> None:
    provider = signature.provider
    if not Template.objects.filter(provider=provider, purpose=purpose).exists():
        Template.objects.create(
            purpose=purpose,
            provider=provider,
            signature=signature,
            name=f"{provider.name} {purpose}",
            content=content,
            remote_id=remote_id,
            status=ReviewStatus.APPROVED,
        )


def _provider(account: Account, base_url: str) -> Provider:
    connection = {"credentials": dict(catalogue.CREDENTIALS[account.slug]), "base_url": base_url}
    name = f"{account.name} {account.native_name}".rstrip()
    first = {"name": name, "gateway": account.slug, "price": account.price, "priority": account.priority}
    provider, _ = Provider.objects.update_or_create(
        slug=account.slug, defaults=connection, create_defaults={**first, **connection}
    )
    provider.options |= {**catalogue.OPTIONS.get(account.slug, {}), **dict.fromkeys(account.addresses, base_url)}
    provider.save(update_fields=["options"])
    return provider


def reset_admin() -> str:
    """Gives the superuser `admin` a new password and returns it."""
    password = secrets.token_urlsafe(9)
    admin, _ = get_user_model().objects.get_or_create(username="admin")
    admin.is_active = admin.is_staff = admin.is_superuser = True
    admin.set_password(password)
    admin.save()
    return password
