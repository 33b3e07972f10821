"""Who may change the credentials of a provider; the webhook's secret is one of them: who knows it can forge calls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.models import Provider

from .change_mails import log_and_mail

PERMISSION = "smsverify.change_credentials"
WHY_LOCKED = _("To change the credentials needs a permission of its own: “Can change the credentials of a provider”.")
WHY_NO_NEW = _(
    "A new provider has credentials, which you may not enter: it needs the permission “Can change the credentials of a "
    "provider”."
)


def may_change_credentials(request: HttpRequest) -> bool:
    """Whether the user has the permission."""
    return request.user.has_perm(PERMISSION)


def log_and_mail_change(request: HttpRequest, provider: Provider, names: Sequence[str]) -> None:
    """Logs and mails to ADMINS, after the commit, which credentials of a provider were changed; never a value."""
    done = f"changed the credentials of provider {provider.slug}: {', '.join(names)}"
    about = f"that credentials of provider {provider.slug} were changed"
    log_and_mail(request, provider, done, about, partial(_mail_text, provider, names))


def _mail_text(provider: Provider, names: Sequence[str], who: str) -> tuple[str, str]:
    facts = {"who": who, "name": provider.name, "slug": provider.slug, "names": ", ".join(names)}
    subject = gettext("Credentials of the SMS provider %(slug)s were changed")
    body = gettext(
        "%(who)s changed credentials of %(name)s (%(slug)s): %(names)s.\n\n"
        "SMS are sent and paid by another account now, if that is what they are of. If you do not know of this, "
        "deactivate the provider in the admin, and see who has the permission “change_credentials”."
    )
    return subject % facts, body % facts
