"""Creates the rows that are needed to send the first code, unless they exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import models, transaction

from django_smsverify.enums import ReviewStatus
from django_smsverify.gateways.base import Gateway
from django_smsverify.models import Provider, Signature, Template
from django_smsverify.models.gateway_classes import gateway_class

SIGNATURE = "示例站"
"""For local gateways, which need no approved name."""
CONTENT = "您的验证码是{code}，{minutes}分钟内有效，请勿泄露给他人。"

Made = tuple[models.Model, bool]
"""A row, and whether it is new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The account and its texts, as the operator describes them."""

    gateway: str
    purpose: str
    slug: str
    signature: str = ""
    signature_id: str = ""
    content: str = CONTENT
    template_id: str = ""
    is_approved: bool = False
    """By the vendor; a template with an id counts as approved too."""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> type[Gateway]:
        """The gateway's class; raises InvalidGateway."""
        return gateway_class(self.gateway)

    @property
    def status(self) -> ReviewStatus:
        """The review status of new rows."""
        known = self.kind.local or self.is_approved or self.template_id
        return ReviewStatus.APPROVED if known else ReviewStatus.DRAFT


def make_rows(wanted: Wanted, ask_for_keys: Callable[[type[Gateway]], Mapping[str, str]]) -> list[Made]:
    """Creates the provider, the signature, if one is given, and the template; existing rows stay unchanged.

    Raises InvalidGateway, or ValueError with the problem; then nothing was created.
    """
    provider = Provider.objects.filter(slug=wanted.slug).first()
    if provider is not None and provider.gateway != wanted.gateway:
        raise ValueError(f"The provider {wanted.slug} is one of {provider.gateway}: choose another --slug.")
    keys = {} if provider is not None else ask_for_keys(wanted.kind)
    with transaction.atomic():
        return list(_rows(wanted, provider, keys))


def _rows(wanted: Wanted, provider: Provider | None, keys: Mapping[str, str]) -> Iterator[Made]:
    found, signature = provider, None
    if found is None:
        found = Provider(
            name=wanted.slug,
            slug=wanted.slug,
            gateway=wanted.gateway,
            credentials=dict(keys),
            options=dict(wanted.options),
        )
    yield found, _save_if_new(found)
    if text := wanted.signature or (SIGNATURE if wanted.kind.local else ""):
        signature = Signature.objects.filter(provider=found, text=text).first() or Signature(
            provider=found, text=text, remote_id=wanted.signature_id, status=wanted.status
        )
        yield signature, _save_if_new(signature)
    template = Template.objects.filter(provider=found, purpose=wanted.purpose).first() or Template(
        provider=found,
        signature=signature,
        purpose=wanted.purpose,
        name=f"{found.slug} {wanted.purpose}",
        content=wanted.content,
        remote_id=wanted.template_id,
        status=wanted.status,
    )
    yield template, _save_if_new(template)


def _save_if_new(row: models.Model) -> bool:
    if row.pk is not None:
        return False
    try:
        row.full_clean()
    except ValidationError as error:
        problems = [f"{name}: {' '.join(words)}" for name, words in error.message_dict.items()]
        raise ValueError(f"The {row._meta.verbose_name} cannot be made. {' '.join(problems)}") from None
    row.save()
    return True
