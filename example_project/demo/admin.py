from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from demo.models import Order, User


@admin.register(User)
class AccountAdmin(UserAdmin):
    fieldsets = (*(UserAdmin.fieldsets or ()), (None, {"fields": ["phone"]}))
    list_display = ["username", "phone", "is_staff", "date_joined"]


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["pk", "user", "amount", "paid_at"]
