"""Addresses of the dashboard."""

urlpatterns = []
