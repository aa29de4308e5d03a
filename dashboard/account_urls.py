"""Addresses of the log-in and of everything about one's own account."""

from django.contrib.auth import views as auth
from django.urls import path

from dashboard import views
from dashboard.lockout import LoginForm
from dashboard.views import people, security

login = auth.LoginView.as_view(
    template_name="dashboard/login.html", authentication_form=LoginForm, redirect_authenticated_user=True
)

urlpatterns = [
    path("login/", login, name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("password/", views.Password.as_view(), name="password"),
    path("users/", people.users, name="users"),
    path("users/add/", people.make, name="make-user"),
    path("users/<int:pk>/", people.change, name="change-user"),
    path("account/", security.security, name="security"),
    path("account/confirm/", security.confirm, name="confirm"),
    path("account/second-step/", security.second_step, name="second-step"),
    path("account/sessions/<int:pk>/end/", security.end_session, name="end-session"),
    path("account/sessions/end-others/", security.end_others, name="end-others"),
    path("account/devices/new/", security.new_device, name="new-device"),
    path("account/devices/<int:pk>/remove/", security.remove_device, name="remove-device"),
    path("account/codes/", security.new_codes, name="new-codes"),
    path("account/tokens/", security.make_token, name="make-token"),
    path("account/tokens/<int:pk>/revoke/", security.revoke_token, name="revoke-token"),
]
