"""Addresses: the dashboard at the root, the admin beside it."""

from django.contrib import admin
from django.urls import include, path

admin.site.site_header = admin.site.site_title = "Julaba administration"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("dashboard.urls")),
]
