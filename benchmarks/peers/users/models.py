"""A user with a phone number, as peers that log users in want one."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models


class User(AbstractBaseUser):
    """Has what django-allauth and drfpasswordless ask for, and no permissions."""

    username = models.CharField(max_length=150, blank=True)
    email = models.EmailField(blank=True)
    mobile = models.CharField(max_length=17, unique=True)
    mobile_verified = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    USERNAME_FIELD = "mobile"
    objects: ClassVar[BaseUserManager[Any]] = BaseUserManager()

    def __str__(self) -> str:
        return str(self.pk)
