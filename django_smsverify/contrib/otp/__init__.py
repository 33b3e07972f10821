"""A second factor for django-otp: a code by SMS. Add `django_smsverify.contrib.otp` to INSTALLED_APPS."""

from __future__ import annotations
