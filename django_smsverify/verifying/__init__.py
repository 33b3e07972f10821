"""Checking a code that a person enters, and the proof that the number is theirs."""

from __future__ import annotations

from . import proofs as proofs
from .guess import verify_code as verify_code
from .proofs import make_proof as make_proof
from .proofs import read_proof as read_proof
from .proofs import redeem_proof as redeem_proof
