"""Costs of SMS: the public path of `money.costs`."""

from __future__ import annotations

from .money.costs import CostRow as CostRow
from .money.costs import costs as costs
from .money.costs import total as total
