"""Tags and filters for pages of the admin: what happened lately, above the list of our models, and our own words."""

from __future__ import annotations

from typing import Any

from django import template

from django_smsverify.journal.own_words import in_own_language

register = template.Library()
register.filter("smsverify_words", in_own_language)


@register.inclusion_tag("admin/smsverify/overview_above_list.html", takes_context=True)
def smsverify_overview(context: Any) -> dict[str, Any]:
    """The figures of the last day and what is to be done, for users who may view messages; else nothing."""
    # Imported here: Django loads all tags, also on a site that has no admin.
    from django_smsverify.admin.overview import overview_of

    request = context["request"]
    if not request.user.has_perm("smsverify.view_message"):
        return {}
    return {**overview_of(request), "perms": context["perms"], "request": request, "csrf_token": context["csrf_token"]}
