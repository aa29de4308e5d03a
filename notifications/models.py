"""Who may write to the bot, what came in, what goes out, and what is being warned of."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Role(models.TextChoices):
    """What an account may do; each is a Django group of the same name, and each includes those before it."""

    VIEWER = "viewer", "viewer"
    TRADER = "trader", "trader"
    RISK = "risk", "risk"
    ADMIN = "admin", "admin"


class Severity(models.TextChoices):
    INFO = "info", "information"
    WARNING = "warning", "warning"
    CRITICAL = "critical", "critical"


class Voice(models.TextChoices):
    ON = "on", "with a sound"
    SILENT = "silent", "without a sound"
    OFF = "off", "not at all"


class Contact(models.Model):
    """One Telegram user in one chat who is an account here; whoever has no row is a stranger."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="telegram_contacts")
    telegram_user_id = models.BigIntegerField(help_text="/whoami tells it, and the chat's.")
    chat_id = models.BigIntegerField(help_text="In a private chat it is the user's own; acts work only there.")
    receives = models.BooleanField(default=True, help_text="Alerts, trades and summaries are sent to this chat.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["telegram_user_id", "chat_id"], name="one_contact_per_chat")]

    def __str__(self) -> str:
        return f"{self.user} in chat {self.chat_id}"


class Preference(models.Model):
    """How one contact hears of one kind of message; without a row, as notifications.kinds says."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="preferences")
    kind = models.CharField(max_length=40)
    voice = models.CharField(max_length=6, choices=Voice.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["contact", "kind"], name="one_preference_per_kind")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.voice}"


class Update(models.Model):
    """One message or press of a button as it came in; the key makes a replay change nothing."""

    update_id = models.BigIntegerField(primary_key=True)
    received_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, help_text="When the message was written; a press has no such time.")
    is_press = models.BooleanField(help_text="A button was pressed; `text` is what it carries.")
    sender_id = models.BigIntegerField()
    chat_id = models.BigIntegerField()
    is_private = models.BooleanField()
    message_id = models.BigIntegerField(help_text="The message itself, or the one whose button was pressed.")
    press_id = models.CharField(max_length=64, blank=True)
    text = models.TextField()
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True)
    handled_at = models.DateTimeField(null=True)
    outcome = models.TextField(blank=True, help_text="What became of it.")

    class Meta:
        indexes = [
            models.Index(fields=["sender_id", "-received_at"], name="update_of_sender"),
            models.Index(
                fields=["received_at"], condition=models.Q(handled_at__isnull=True), name="update_not_handled"
            ),
        ]

    def __str__(self) -> str:
        return f"update {self.update_id} of {self.sender_id}"


class DeliveryStatus(models.TextChoices):
    PENDING = "pending", "to be sent"
    SENDING = "sending", "being sent"
    SENT = "sent", "sent"
    REFUSED = "refused", "refused for good"


class Attachment(models.Model):
    """A picture or a document; every message that carries it points here, so it is kept once."""

    name = models.CharField(max_length=80, help_text="The file's name, as people see it.")
    media = models.CharField(max_length=60, help_text="Its media type.")
    content = models.BinaryField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One message on its way to one channel: `telegram:CHAT`, or `url:DIGEST` for an address of the settings."""

    key = models.CharField(max_length=100, help_text="What it is about: nothing is sent twice under one key.")
    channel = models.CharField(max_length=60)
    kind = models.CharField(max_length=40)
    severity = models.CharField(max_length=8, choices=Severity.choices, default=Severity.INFO)
    text = models.TextField(help_text="Telegram's HTML; other channels get the words alone.")
    buttons = models.JSONField(default=list, help_text="Rows of [label, data].")
    edits = models.BigIntegerField(null=True, blank=True, help_text="The message that this one replaces.")
    attachment = models.ForeignKey(
        Attachment, null=True, blank=True, on_delete=models.SET_NULL, related_name="deliveries"
    )
    is_silent = models.BooleanField(default=False)
    status = models.CharField(max_length=8, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING)
    created_at = models.DateTimeField()
    next_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    message_id = models.BigIntegerField(null=True, blank=True, help_text="Telegram's number of what was sent.")
    error = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["key", "channel"], name="one_delivery_per_key_and_channel")]
        indexes = [
            models.Index(
                fields=["next_at"], condition=models.Q(status__in=("pending", "sending")), name="delivery_due"
            ),
            models.Index(fields=["created_at"], name="delivery_age"),
        ]

    def __str__(self) -> str:
        return f"{self.key} to {self.channel}: {self.status}"


class ChannelPause(models.Model):
    """Until when a channel is left alone, as it asked or as it failed: `telegram` for the whole bot, or one address."""

    channel = models.CharField(max_length=60, primary_key=True)
    until = models.DateTimeField()
    failures = models.PositiveIntegerField(default=0, help_text="In a row; nothing was delivered since.")

    def __str__(self) -> str:
        return f"{self.channel} until {self.until:%Y-%m-%d %H:%M:%S}"


class Confirmation(models.Model):
    """The first of an act's two steps: what the button under one message does, once, for one person, for a minute."""

    token = models.CharField(max_length=32, primary_key=True)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="confirmations")
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="confirmations")
    action = models.CharField(max_length=20)
    arguments = models.JSONField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    outcome = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.action} by {self.contact}"


class Alert(models.Model):
    """One thing that people should know of, from the moment it came up until it was over."""

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=80, help_text="The kind and what it is about.")
    severity = models.CharField(max_length=8, choices=Severity.choices)
    text = models.TextField()
    raised_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=150, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=models.Q(cleared_at__isnull=True), name="one_alert_at_a_time_per_key"
            )
        ]
        indexes = [models.Index(fields=["-raised_at"], name="alert_newest")]

    def __str__(self) -> str:
        return f"{self.severity} {self.key}"


class AlertRule(models.Model):
    """What an operator has changed about one kind of alert; without a row, as notifications.kinds says."""

    kind = models.CharField(max_length=40, unique=True)
    is_on = models.BooleanField(default=True)
    threshold = models.FloatField(null=True, blank=True, help_text="In the unit of the kind; empty: its default.")
    cool_down_s = models.PositiveIntegerField(
        "cool-down",
        null=True,
        blank=True,
        help_text="Seconds in which one that is over does not come again; empty: usual.",
    )
    escalation_minutes = models.PositiveIntegerField(
        "escalation",
        null=True,
        blank=True,
        help_text="Minutes after which a critical one that nobody has acknowledged is told once more; empty: 15.",
    )

    def __str__(self) -> str:
        return self.kind


class JournalMark(models.Model):
    """How far the journal was told. Rows may commit out of order, so the mark stays a minute behind the head."""

    told = models.PositiveBigIntegerField(help_text="Every event up to this number was told.")
    head = models.PositiveBigIntegerField(help_text="The newest event at `head_at`.")
    head_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_journal_mark")]

    def __str__(self) -> str:
        return f"told up to {self.told}"


class ToldStop(models.Model):
    """The stop of an open trade as people know it."""

    trade = models.OneToOneField("trading.Trade", on_delete=models.CASCADE, related_name="+")
    stop = models.FloatField(help_text="Quote per base.")
    reason = models.PositiveSmallIntegerField()

    def __str__(self) -> str:
        return f"trade {self.trade_id}: {self.stop}"


class FollowedRun(models.Model):
    """A run of research that was asked for by message: the answer to that is edited while the run goes on."""

    run = models.OneToOneField("trading.BacktestRun", on_delete=models.CASCADE, related_name="+")
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="+")
    shown = models.CharField(max_length=60, blank=True, help_text="The status and progress that people see.")
    is_over = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"run {self.run_id}: {self.shown}"


class WatchMark(models.Model):
    """When the watch last looked: whoever finds it old looks in its place."""

    looked_at = models.DateTimeField()
    up_since = models.DateTimeField(help_text="Since when it looks without a gap.")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_watch_mark")]

    def __str__(self) -> str:
        return f"looked at {self.looked_at}"
