"""System checks: of settings, and of the site around them."""

from __future__ import annotations

from . import alerts as alerts
from . import budgets as budgets
from . import captchas as captchas
from . import filings as filings
from . import retention as retention
from . import settings as settings
from . import site as site
from . import test_numbers as test_numbers
