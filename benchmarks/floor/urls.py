"""The URLs of the floor."""

from __future__ import annotations

from django.urls import path

from .report import report
from .views import SendView, VerifyView

urlpatterns = [
    path("send/", SendView.as_view()),
    path("verify/", VerifyView.as_view()),
    path("reports/<str:secret>/", report),
]
