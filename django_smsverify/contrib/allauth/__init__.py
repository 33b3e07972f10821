"""django-allauth with the codes of this app: its phone verification, and its login by code sent to a phone."""

from __future__ import annotations

FORMS = {
    "confirm_login_code": "django_smsverify.contrib.allauth.forms.ConfirmLoginCodeForm",
    "confirm_reauthentication_code": "django_smsverify.contrib.allauth.forms.ConfirmReauthenticationCodeForm",
    "verify_phone": "django_smsverify.contrib.allauth.forms.VerifyPhoneForm",
}
"""For ACCOUNT_FORMS: the forms that have a code checked where it was sent."""
