from __future__ import annotations

from django.apps import apps
from django.contrib import admin
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.i18n import set_language

from demo import views

urlpatterns = [
    path("", views.home, name="home"),
    path("inbox/", views.inbox, name="inbox"),
    path("wire/", views.wire, name="wire"),
    path("reply/", views.reply, name="reply"),
    path("trouble/", views.trouble, name="trouble"),
    path("language/", csrf_exempt(set_language), name="language"),
    path("sms/", include("django_smsverify.urls")),
    path("admin/", admin.site.urls),
]
if apps.is_installed("drf_spectacular"):
    from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

    urlpatterns += [
        path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
        path("api/", SpectacularSwaggerView.as_view(), name="api"),
    ]
