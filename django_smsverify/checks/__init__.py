"""What Django checks of a site at its start and before it is deployed."""

from __future__ import annotations

from . import settings as settings
from . import site as site
