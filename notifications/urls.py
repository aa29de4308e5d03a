"""Where Telegram posts; the path is as secret as a password, and so is the header."""

from django.urls import path

from notifications.views import webhook

urlpatterns = [path("telegram/webhook/<str:path>", webhook, name="telegram-webhook")]
