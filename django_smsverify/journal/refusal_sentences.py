"""The sentence about refused requests of one hour, and what to do about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.conf import conf
from django_smsverify.enums import Refused
from django_smsverify.models import Refusal

from .words import moment, sentence

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

WHY: dict[Refused, StrOrPromise] = {
    Refused.RESEND: _("the pause of %(seconds)d seconds after the SMS before was not over"),
    Refused.PHONE: _("the number had got as many SMS as it may (PHONE_LIMITS)"),
    Refused.IP: _("that network address had asked for as many codes as one may (IP_LIMITS)"),
    Refused.PREFIX: _("the numbers with the same first digits had got as many SMS as they may (PREFIX_LIMITS)"),
    Refused.GLOBAL: _("the site had sent as many SMS as it may (GLOBAL_LIMITS)"),
    Refused.CAPTCHA: _("no captcha was solved"),
    Refused.NO_ROUTE: _("no provider could send for that purpose"),
    Refused.NOT_SUPPORTED: _("no provider sends to that region"),
    Refused.UNKNOWN_PURPOSE: _("there is no template with a code for that purpose"),
    Refused.BUDGET: _("a budget was spent (BUDGET, or that of the provider), or a provider has no price"),
    Refused.LISTED: _("the number, its block or that network is on a list of the site"),
    Refused.GUARD_BLOCK: _("the guard had closed the numbers with the same first digits to who is new here"),
    Refused.GUARD_NETWORK: _("the guard had closed that network to who is new here"),
    Refused.GUARD_SIGNATURE: _("the guard had closed the signature of the SMS to who is new here"),
    Refused.GUARD_SITE: _("the guard had closed the site to who is new here"),
    Refused.ASKED_LISTED: _("a captcha was asked for, because a list of the site says so"),
    Refused.ASKED_IP: _("a captcha was asked for, because that network address had asked for several codes"),
    Refused.ASKED_PREFIX: _("a captcha was asked for, because the numbers with the same first digits got many SMS"),
    Refused.ASKED_GLOBAL: _("a captcha was asked for, because the site had sent many SMS"),
    Refused.ASKED_GUARD: _("a captcha was asked for, because the guard saw that too few codes come back"),
    Refused.NO_CACHE: _("the cache that keeps the limits did not answer"),
}
_CLOSED = _(
    "Look at the closures by the guard in the admin: if these are people, lift the closure; if not, it opens by itself "
    "when the attack ends. With a captcha people could pass."
)
_ASKED = _(
    "Ask the person to solve the captcha. If the page shows none when the answer is captcha_required, mend the page."
)
ADVICE: dict[str, StrOrPromise] = {
    Refused.RESEND: _("Ask the person to look for the SMS before it, and to ask again when the pause is over."),
    Refused.PHONE: _(
        "Ask the person to look for the SMS before it, and to ask again when the number may get the next one, as "
        "above; if somebody else asked so often, switch a captcha on."
    ),
    Refused.IP: _(
        "Ask the person to try again later, or from another network. If all visitors seem to have one address, set "
        "TRUSTED_PROXIES; if many people share one, raise IP_LIMITS; else somebody attacked the site."
    ),
    Refused.PREFIX: _(
        "Ask the person to try again later. Somebody probably tried numbers in a row: switch a captcha on. If not, "
        "raise PREFIX_LIMITS."
    ),
    Refused.GLOBAL: _(
        "Ask the person to try again later. If it was an attack, switch a captcha on; if it was not, raise "
        "GLOBAL_LIMITS."
    ),
    Refused.CAPTCHA: _(
        "Ask the person to solve the captcha. If the page shows none, or does not send the answer, mend the page."
    ),
    Refused.NO_ROUTE: _(
        "Look whether a template of that purpose is approved and active, and its provider too; the person can ask "
        "again afterwards."
    ),
    Refused.NOT_SUPPORTED: _("Add a provider that sends to that region, or take the region out of REGIONS."),
    Refused.UNKNOWN_PURPOSE: _(
        "Compare the purpose with those of the templates, and mend the page or add a template; the person can ask "
        "again afterwards."
    ),
    Refused.BUDGET: _(
        "Look at the budgets in the admin: if the money went to real people, raise the budget; if it did "
        "not, somebody pumps SMS through the site, so switch a captcha on. Nothing is sent until the budget is raised "
        "or the next day or month begins. If a provider has no price, enter it: smsverify.E014 names it."
    ),
    Refused.LISTED: _(
        "Look at the block and allow list in the admin: if the entry still stands there and the person is right, "
        "delete it."
    ),
    **dict.fromkeys((Refused.GUARD_BLOCK, Refused.GUARD_NETWORK, Refused.GUARD_SIGNATURE, Refused.GUARD_SITE), _CLOSED),
    **dict.fromkeys(
        (
            *(Refused.ASKED_LISTED, Refused.ASKED_IP, Refused.ASKED_PREFIX),
            *(Refused.ASKED_GLOBAL, Refused.ASKED_GUARD),
        ),
        _ASKED,
    ),
    Refused.NO_CACHE: _(
        "Start the cache server again and look at its log, as nothing is sent without it; the person can ask again "
        "afterwards."
    ),
    Refused.OTHERS: _("So many numbers are refused in an attack: look at the other refused requests of that hour."),
}


def refusal_sentence(refusal: Refusal) -> str:
    """Returns the sentence about one row."""
    reason = Refused(refusal.reason)
    facts = {
        "purpose": refusal.purpose or "?",
        "count": refusal.count,
        "since": moment(refusal.first_at),
        "until": moment(refusal.last_at),
    }
    if reason == Refused.OTHERS:
        words = gettext(
            "More numbers were refused in this hour than are stored one by one, and this number may be among them: "
            "%(count)d requests or more, between %(since)s and %(until)s"
        )
    elif not refusal.phone:
        words = gettext("Requests of any number were refused between %(since)s and %(until)s, some or all: %(why)s")
    elif refusal.count > 1:
        words = gettext(
            "Codes were asked for at least %(count)d times until %(until)s, the first for “%(purpose)s”, and no SMS "
            "was sent: %(why)s"
        )
    else:
        words = gettext("A code for “%(purpose)s” was asked for, and no SMS was sent: %(why)s")
    return sentence([words % {**facts, "why": why_refused(reason)}])


def why_refused(reason: Refused) -> str:
    """Returns why, as a clause; blank where that is told otherwise."""
    words = str(WHY.get(reason, ""))
    return words % {"seconds": conf.RESEND_INTERVAL} if reason == Refused.RESEND else words
