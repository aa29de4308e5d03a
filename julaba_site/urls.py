"""Addresses: the dashboard at the root, the admin beside it."""

from django.contrib import admin
from django.urls import include, path

admin.site.site_header = admin.site.site_title = "Julaba administration"

handler400, handler403, handler404, handler500 = (
    f"dashboard.views.errors.{name}" for name in ("bad_request", "not_allowed", "not_found", "failed")
)

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("notifications.urls")),
    path("", include("dashboard.urls")),
]
