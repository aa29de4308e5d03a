"""The admin of access: people with their roles, tokens and sessions. What changes there is asked for a fresh proof and audited."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from dashboard import login_audit, sessions
from dashboard.models import ApiToken, SessionRecord
from trading.admin_readonly import ReadOnly
from trading.services import audit

# Keys of authenticators are nobody's to read or to set; manage.py second_step takes a lost one away.
admin.site.unregister([User, Group, TOTPDevice, StaticDevice])
FLAGS = ("is_active", "is_staff", "is_superuser")


@admin.register(User)
class PeopleAdmin(UserAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """People are closed, not deleted: the history names them. Roles are groups; only a superuser makes another one."""

    list_display = ("username", "roles", "is_active", "is_staff", "is_superuser", "last_login")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("May do", {"fields": ("groups", *FLAGS)}),
        ("When", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    list_filter = ("is_active", "groups")
    actions = None

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all()) or "—"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = tuple(super().get_readonly_fields(request, obj))
        return fixed if request.user.is_superuser else (*fixed, "is_superuser")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever is no superuser changes none: a new password would make them one."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or not obj.is_superuser or bool(request.user.is_superuser))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_related(self, request: HttpRequest, form: ModelForm[User], formsets: Any, change: bool) -> None:
        user = form.instance
        before = set(user.groups.values_list("name", flat=True)) if change else set()
        super().save_related(request, form, formsets, change)
        after = set(user.groups.values_list("name", flat=True))
        audit.record(
            "account",
            actor=request.user.get_username(),
            at=timezone.now(),
            about=user.get_username(),
            text="Changed an account" if change else "Made an account",
            details={
                "roles_before": sorted(before),
                "roles": sorted(after),
                **{flag: getattr(user, flag) for flag in FLAGS},
                "changed": list(form.changed_data),
            },
        )
        if not user.is_active:
            sessions.end(SessionRecord.objects.filter(user=user))

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        """Let a new password, which somebody else gave, end every session of the account."""
        before = User.objects.filter(pk=id).values_list("password", flat=True).first()
        answer = super().user_change_password(request, id, form_url)
        user = User.objects.filter(pk=id).first()
        if user is not None and before is not None and user.password != before:
            name, now = request.user.get_username(), timezone.now()
            audit.record("password", actor=name, at=now, about=user.username, text="Set another's password")
            login_audit.tell(f"{name} gave {user.username} a new password", now=now)
            sessions.end_others(user, but=request.session.session_key if user == request.user else None)
        return answer


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly):
    list_display = ("name", "user", "scope", "prefix", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("scope", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    exclude = ("digest",)
    ordering = ("-pk",)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return not lookup.startswith("digest") and super().lookup_allowed(lookup, value, request)


@admin.register(SessionRecord)
class SessionRecordAdmin(ReadOnly):
    """Sessions of everybody; deleting one ends it."""

    list_display = ("user", "address", "agent", "begun_at", "seen_at")
    list_select_related = ("user",)
    exclude = ("session_key",)
    ordering = ("-seen_at",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("dashboard.delete_sessionrecord"))

    def delete_model(self, request: HttpRequest, obj: SessionRecord) -> None:
        sessions.end(SessionRecord.objects.filter(pk=obj.pk))
        about, name = obj.user.get_username(), request.user.get_username()
        audit.record("session_ended", actor=name, at=timezone.now(), about=about, text="Ended another's session")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return not lookup.startswith("session_key") and super().lookup_allowed(lookup, value, request)
