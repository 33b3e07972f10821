"""A permission of DRF: a view is for requests with a proof of the person's number."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from django_smsverify.exceptions import ProofRejected, SMSVerifyError
from django_smsverify.masked import Secret
from django_smsverify.verifying import read_proof, redeem_proof

from .accounts import phone_field, spellings

HEADER = "Phone-Proof"


class IsPhoneVerified(BasePermission):
    """Allows a request whose header `Phone-Proof` has a proof, and uses it up.

    The view names the purpose in `phone_purpose`; what the code was bound to is returned by its method
    `phone_context(request)`, if it has one. The number of a user who is logged in must be theirs. The view finds it in
    `request.verified_phone`, as E.164. Under ATOMIC_REQUESTS an error in the view gives the proof back.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        proof, purpose = Secret(request.headers.get(HEADER, "")), view.phone_purpose
        bound = getattr(view, "phone_context", lambda request: None)(request)
        try:
            phone = read_proof(proof, purpose, context=bound)
            if not _is_own(phone, request.user):
                raise ProofRejected
            request.verified_phone = redeem_proof(proof, purpose, context=bound)  # type: ignore[attr-defined]
        except SMSVerifyError as error:
            raise PermissionDenied(str(error), code=error.code) from None
        return True


def _is_own(phone: str, user: Any) -> bool:
    """Whether a number is the user's, or nobody is logged in."""
    if not getattr(user, "is_authenticated", False):
        return True
    return getattr(user, phone_field()) in spellings(phone)
