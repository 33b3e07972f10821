"""Descriptions of the endpoints for drf-spectacular; imported only if that is installed.

The class names become component names in the schema, next to the site's own components: they begin with SMSVerify.
"""

from __future__ import annotations

from .operations import SendStatusViewSchema, SendViewSchema, TicketViewSchema, VerifyViewSchema

__all__ = ["SendStatusViewSchema", "SendViewSchema", "TicketViewSchema", "VerifyViewSchema"]
