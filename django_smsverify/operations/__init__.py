"""What operators watch a site with: probes of the routes."""

from __future__ import annotations
