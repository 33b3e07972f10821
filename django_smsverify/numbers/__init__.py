"""What a site knows of phone numbers as such: which ones were verified here, and on which devices."""

from __future__ import annotations

from .known import Requester as Requester
from .known import forget as forget
from .known import requester_of as requester_of
from .known import revoke_devices as revoke_devices
from .recycling import confirm_owner as confirm_owner
