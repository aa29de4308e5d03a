"""The tables of the pairs in the admin, to look at: people act on the page Pairs, where each act has its reason."""

from __future__ import annotations

from trading.admin_readonly import ReadOnly


class WatchedPairAdmin(ReadOnly):
    list_display = ("symbol", "source", "since", "until", "by", "reason")
    list_filter = ("source", "symbol")
    ordering = ("-pk",)


class PairSwitchAdmin(ReadOnly):
    list_display = ("at", "out_symbol", "in_symbol", "is_made", "refused_by", "by", "reason")
    list_filter = ("is_made", "refused_by")
    list_select_related = ("scan",)
    ordering = ("-at", "-pk")


class BlacklistEntryAdmin(ReadOnly):
    list_display = ("symbol", "at", "by", "reason", "removed_at", "removed_by")
    ordering = ("-pk",)


class PairLockAdmin(ReadOnly):
    list_display = ("symbol", "at", "until", "by", "reason", "lifted_at", "lifted_by")
    ordering = ("-pk",)


class SeriesQualityAdmin(ReadOnly):
    list_display = ("venue", "symbol", "timeframe", "state", "reason")
    list_filter = ("state", "timeframe")
    ordering = ("symbol", "timeframe")
