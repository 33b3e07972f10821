from __future__ import annotations

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView
from django.views.i18n import set_language

from demo import scenes, views

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="account")),
    path("login/", scenes.Entrance.as_view(), name="login"),
    path("login/password/", scenes.PasswordEntrance.as_view(), name="password"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("reset/", scenes.ResetView.as_view(), name="reset"),
    path("account/", scenes.AccountView.as_view(), name="account"),
    path("pay/", scenes.PayView.as_view(), name="pay"),
    path("number/", scenes.NumberView.as_view(), name="number"),
    path("sms/", include("django_smsverify.urls")),
    path("admin/", admin.site.urls),
    # What is around the scene.
    path("inbox/", views.inbox, name="inbox"),
    path("story/", views.story, name="story"),
    path("wire/", views.wire, name="wire"),
    path("reply/", views.reply, name="reply"),
    path("trouble/", views.trouble, name="trouble"),
    path("language/", csrf_exempt(set_language), name="language"),
]
if apps.is_installed("drf_spectacular"):
    from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

    urlpatterns += [
        path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
        path("api/", SpectacularSwaggerView.as_view(), name="api"),
    ]
