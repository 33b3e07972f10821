"""What a list of numbers for one template looks like: an example, and what its lines may hold."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext

from django_smsverify import texts
from django_smsverify.characters import listed
from django_smsverify.linting.rules import BRACKETS, TextRules
from django_smsverify.models import Template
from django_smsverify.sending.number_list import ALSO_PHONE, PHONE

NUMBER = "138xxxxxxxx"
"""No number, so that the example sends nothing to anybody when it is pasted as it is."""


def example_of(template: Template) -> str:
    """Returns the first line of a list for this template, and a second one."""
    names = _names(template)
    values = [gettext("text for %s") % name for name in names]
    return "\n".join([",".join([PHONE, *names]), ",".join([NUMBER, *values])])


def limits_of(template: Template) -> list[str]:
    """Returns what the lines may hold, each as a sentence."""
    names = _names(template)
    return [*_of_lines(names), *(_of_values(template.provider.text_rules) if names else ())]


def _names(template: Template) -> list[str]:
    return list(dict.fromkeys(texts.placeholders(template.content)))


def _of_lines(names: list[str]) -> Iterator[str]:
    if names:
        yield gettext("The first line names the columns, as in the example, in any order and no others.")
    else:
        yield gettext("The text has no placeholders: one number in a line is enough. The first line may be “phone”.")
    yield gettext("The column “phone” may also be called: %s") % listed(sorted(ALSO_PHONE.difference(names)))
    yield gettext("A number as people write it: 11 digits, also with spaces or +86; another country's begins with +.")
    if names:
        yield gettext(
            "Columns are separated by commas, semicolons or tabs. A value that holds one stands in quotation marks."
        )
        yield gettext("No value may be empty.")


def _of_values(rules: TextRules) -> Iterator[str]:
    refused = " ".join(sorted(set(rules.value_refuses + BRACKETS)))
    yield gettext("At this vendor a value may not contain: %s") % refused
    if rules.longest_value is not None:
        yield gettext("At this vendor a value has at most %d characters.") % rules.longest_value
    if rules.refuses_emoji:
        yield gettext("At this vendor a value may not contain emoji.")
    if rules.refuses_links:
        yield gettext("At this vendor a value may not contain an address: write it in the text that is reviewed.")
