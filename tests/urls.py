from __future__ import annotations

from captcha.views import captcha_image
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("captcha/image/<key>/", login_not_required(captcha_image), {"scale": 1}, name="captcha-image"),
    path("sms/", include("django_smsverify.urls")),
]
