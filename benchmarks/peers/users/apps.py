"""The app of the user model."""

from __future__ import annotations

from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "benchmarks.peers.users"
    label = "users"
    default_auto_field = "django.db.models.BigAutoField"
