"""The captcha "image": letters in a picture, which django-simple-captcha draws and keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any
from unicodedata import normalize

from django.apps import apps
from django.conf import settings
from django.db import router
from django.urls import NoReverseMatch, get_script_prefix, resolve, reverse
from django.utils import timezone
from rest_framework.request import Request

from django_smsverify.http.client_address import client_ip
from django_smsverify.limits.flood import check_flood
from django_smsverify.transactions import retry_on_conflict

IMAGE = "captcha-image"
"""The URL name of django-simple-captcha."""
LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"
OPEN_TO_ALL = (
    "Instead of captcha.urls, add "
    'path("captcha/image/<key>/", login_not_required(captcha_image), {"scale": 1}, name="captcha-image") '
    "to the urlpatterns of ROOT_URLCONF."
)
OLD_AT_ONCE = 1000
"""Rows that one statement deletes: an attack makes thousands in a minute."""


class ImageCaptcha:
    """One try for each image: who reads it wrongly gets another one."""

    def offer(self, request: Request) -> dict[str, Any]:
        """Returns key and address of a new image; raises Throttled for an address that asks for too many."""
        if self.why_unusable():
            return {}
        check_flood("captcha", client_ip(request._request))
        key = _store().pick()
        return {"kind": "image", "key": key, "image": reverse(IMAGE, kwargs={"key": key})}

    def is_solved(self, request: Request, data: Mapping[str, Any]) -> bool:
        key, value = _key_and_value(data.get("captcha"))
        return bool(key) and not self.why_unusable() and _use(key, value)

    def why_unusable(self) -> tuple[str, str] | None:
        """Returns what is missing and what to do about it; None if images can be shown."""
        if not find_spec("captcha"):
            return "django-simple-captcha is not installed", "pip install 'django-smsverify[image]'"
        if not apps.is_installed("captcha"):
            return '"captcha" is not in INSTALLED_APPS', 'Add "captcha" to INSTALLED_APPS and run `manage.py migrate`.'
        try:
            path = reverse(IMAGE, kwargs={"key": "x"}).removeprefix(get_script_prefix())
            view = resolve(f"/{path}").func
        except NoReverseMatch:
            return (
                "the URLs of django-simple-captcha are not included, so nobody sees an image",
                'Add path("captcha/", include("captcha.urls")) to the urlpatterns of ROOT_URLCONF.',
            )
        if LOGIN_REQUIRED in settings.MIDDLEWARE and getattr(view, "login_required", True):
            return f"{LOGIN_REQUIRED.rpartition('.')[2]} shows the images to nobody who is logged out", OPEN_TO_ALL
        return None


def forget_old() -> Iterator[str]:
    """Deletes expired images; yields the word that the poll counts, for each."""
    rows = _rows()
    old = rows.filter(expiration__lte=timezone.now())
    while pks := list(old.values_list("pk", flat=True)[:OLD_AT_ONCE]):
        yield from ["captcha forgotten"] * rows.filter(pk__in=pks).delete()[0]


def _key_and_value(written: object) -> tuple[str, str]:
    """The key and what was read in the image; empty texts for anything else than two texts."""
    if not isinstance(written, Mapping):
        return "", ""
    key, value = written.get("key"), written.get("value")
    if not isinstance(key, str) or not isinstance(value, str) or not (key.isascii() and key.isalnum()):
        return "", ""
    # A Chinese keyboard may write full-width letters.
    return key, normalize("NFKC", value).strip().lower()


def _use(key: str, value: str) -> bool:
    """Whether the image was read correctly; of several requests only the one that deletes it wins."""
    rows = _rows().filter(hashkey=key, expiration__gt=timezone.now())

    def delete() -> bool:
        response = rows.values_list("response", flat=True).first()
        return response is not None and rows.delete()[0] == 1 and response == value

    return retry_on_conflict(delete, rows.db)


def _rows() -> Any:
    """The images, on the database that writes them: a copy may not have the newest one yet."""
    store = _store()
    return store.objects.using(router.db_for_write(store))


def _store() -> Any:
    from captcha.models import CaptchaStore  # needs the app in INSTALLED_APPS

    return CaptchaStore
