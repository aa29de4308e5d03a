"""Addresses of the dashboard; everything but the log-in and the icon asks for a user (LoginRequiredMiddleware)."""

from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.templatetags.static import static
from django.urls import path
from django.views.generic import RedirectView

from dashboard import views

urlpatterns = [
    path("", views.overview, name="overview"),
    # Browsers ask for it on the admin's pages, which name no icon.
    path("favicon.ico", login_not_required(RedirectView.as_view(url=static("dashboard/icon.svg")))),
    path(
        "login/",
        auth.LoginView.as_view(template_name="dashboard/login.html", redirect_authenticated_user=True),
        name="login",
    ),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("password/", views.Password.as_view(), name="password"),
]
