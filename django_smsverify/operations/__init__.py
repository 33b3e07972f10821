"""What operators watch a site with: probes of the routes, alerts, metrics and a health view."""

from __future__ import annotations
