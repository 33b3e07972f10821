"""What this package says itself of an SMS that it could not send, told apart from the words of vendors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from django_smsverify.models import Message

from .words import quoted

SENTENCES = (
    _("%(host)s could not be reached (%(why)s)"),
    _("the request left for %(host)s, but no answer could be read (%(why)s)"),
    _("the answer has an unknown shape (HTTP %(status)s)"),
    _("the answer is not a JSON object (HTTP %(status)s)"),
    _("the answer is not XML (HTTP %(status)s)"),
    _("the answer is larger than %(size)s KiB"),
    _("the answer is compressed, which was not asked for"),
    _("the answer is about another message"),
    _("the answer gives no result for this number"),
    _("the answer says neither yes nor no"),
    _("the vendor's answer does not name this number"),
    _("some numbers of the batch were refused"),
    _("result %(result)s for this number"),
    _("status %(status)s"),
    _("unknown returnStatus, message: %(words)s"),
    _("the call broke off: see the log"),
    _("the gateway failed while it was sending: see the log"),
    _("the gateway could not be set up: see the log"),
    _("the request could not be built: see the log"),
    _("no thread could be started that watches the time"),
    _("the total time was over before the connection stood"),
    _("this version of Python writes requests in a way that is not known here"),
    _("the provider has no %(names)s: enter it in the admin"),
    _("this vendor serves mainland numbers (+86) only"),
    _("this vendor takes mainland numbers and others in separate calls only"),
    _("this vendor sends codes only"),
    _("this vendor's templates have exactly one variable, the code"),
    _("this vendor's placeholders are {1}, {2} and so on: give the number of each one under “variables”"),
    _("this vendor takes %(what)s as a value"),
    _("a value must be text that has bytes in UTF-8"),
    _("a value may not contain %(what)s at this vendor"),
    _("a value may not contain an address at this vendor: write it in the text that is reviewed"),
    _("a value may have at most %(most)s characters at this vendor; this one has %(length)s"),
    _("this vendor wants a remark: what the text is used for, with the site's address"),
    _("this vendor wants a remark: what the template is used for"),
    _("enter the option Qualification ID (资质ID), or submit it in the console"),
    _("this vendor reviews a template together with a signature: choose one"),
    _("submit it in the console, where %(names)s can be given a kind"),
    _("this vendor's ids of signatures and templates are numbers"),
    _("http is allowed for loopback only: use an https:// URL"),
    _('it leads to a private address: see SMSVERIFY["ALLOW_PRIVATE_HOSTS"]'),
    _("a proxy carries https only: remove the proxy, or use an https:// URL"),
    _('There is no gateway "%(alias)s". %(what)s'),
    _('The gateway "%(alias)s" cannot be imported from "%(path)s": %(why)s'),
    _('"%(path)s" of the gateway "%(alias)s" is not a subclass of Gateway.'),
    _("the process that handed it over ended before the vendor's answer was stored"),
    _("its delivery failed, see the log"),
    _("it was queued for too long"),
    _("it was queued until the code had too few seconds left"),
    _("its values were encrypted with a key that is no longer configured"),
    _("the number has opted out of notices"),
    _("the number is on the block list"),
    _("the task queue could not be reached"),
    _("while it was queued all templates for it became unusable"),
    _("while it was queued its template could no longer be used"),
    _("while it was queued the SMS before it arrived after all"),
    _("while it was queued the budget was spent"),
    _("while it was queued the code was no longer of use"),
    _("while it was queued the code was sent again"),
    _("while it was queued the number got as many other codes as it may"),
)
"""Each as it is stored, in English, with a placeholder for what varies; a test finds them all in the source."""
CODES = frozenset(
    {
        *("bug", "configuration", "draft", "mixed-numbers", "no-code", "no-such-id", "not-mainland", "packages"),
        *("template", "unreadable", "value", "variables"),
    }
)
"""Of refusals and failures that no vendor spoke of."""
PLACE = re.compile(r"%\\\((\w+)\\\)s")
"""A placeholder in an escaped sentence."""


@dataclass(frozen=True, slots=True)
class Said:
    """Why an SMS was not sent, or may not have been, without numbers."""

    code: str
    """The vendor's; blank where it gave none."""
    words: str
    is_ours: bool
    """Whether the words are this package's, in the active language; else they are the vendor's, as they came."""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.code, self.words)))


def said_of(message: Message) -> Said:
    """Returns what was stored about the end of an SMS."""
    code, words = quoted(message.error_code), " ".join(message.error_message.split())
    ours = translated(words)
    if ours is None:
        return Said(code, quoted(words), is_ours=False)
    return Said("" if code in CODES else code, ours, is_ours=True)


def translated(words: str) -> str | None:
    """Returns a sentence of ours in the active language; None for words that are not ours."""
    for sentence, pattern in _patterns():
        if found := pattern.fullmatch(words):
            parts = found.groupdict()
            detail = quoted(parts.pop("detail") or "")
            told = {name: part if name == "host" else translated(part) or quoted(part) for name, part in parts.items()}
            return (gettext(sentence) % told if told else gettext(sentence)) + detail
    return None


def in_own_language(words: object) -> str:
    """Returns a sentence of ours in the active language, and other words as they are."""
    return translated(str(words)) or str(words)


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    # What follows a colon is a detail.
    return [(one, re.compile(PLACE.sub(r"(?P<\1>.+)", re.escape(one)) + "(?P<detail>: .+)?")) for one in SENTENCES]
