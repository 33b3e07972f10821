"""The guard: closes blocks, networks and the site to new numbers when too few of their codes come back."""

from __future__ import annotations

from .watching import Signatures as Signatures
from .watching import is_judged as is_judged
from .watching import look as look
from .watching import require_open as require_open
