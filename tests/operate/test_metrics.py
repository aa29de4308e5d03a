"""/metrics: who may see it, and that it says what the rows say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from dashboard import metric_rows
from notifications.models import Alert
from tests import factories
from trading.adapters import meters
from trading.models import BackupKind, BackupRun, Bot, Trade, TradeStatus, Watermark

pytestmark = pytest.mark.django_db

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TOKEN = "metrics-token-0123456789-0123456789"


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    """Let what no database keeps begin anew with each test."""
    meters._waiting.clear()
    yield
    meters._waiting.clear()


class FakeRedis:
    """A hash that counts, as far as the meters ask."""

    def __init__(self) -> None:
        self.rows: dict[bytes, float] = {}

    def pipeline(self, transaction: bool = True) -> FakeRedis:
        return self

    def hincrbyfloat(self, key: str, field: str, by: float) -> None:
        self.rows[field.encode()] = self.rows.get(field.encode(), 0.0) + by

    def hgetall(self, key: str) -> dict[bytes, bytes]:
        return {field: str(value).encode() for field, value in self.rows.items()}

    def execute(self) -> None: ...


def values(now: datetime = NOW) -> dict[str, float]:
    """Return every sample that the rows make, as name{label="value"} -> value."""
    found = {}
    for family in metric_rows.families(now):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def close(trade: Trade, *, gross: str, fees: str = "1") -> None:
    Trade.objects.filter(pk=trade.pk).update(
        status=TradeStatus.CLOSED, closed_at=NOW, gross_pnl=Decimal(gross), fees=Decimal(fees)
    )


def test_what_the_rows_say_is_what_is_told() -> None:
    factories.bot(NOW, balance=Decimal(950), equity=Decimal(900), peak_equity=Decimal(1200))
    Watermark.objects.create(symbol="BTC/USDT", timeframe="15m", bar_at=NOW - timedelta(minutes=20))
    BackupRun.objects.create(kind=BackupKind.BACKUP, at=NOW - timedelta(hours=2), passed=True, text="a")
    Alert.objects.create(kind="disk", key="disk", severity="critical", text="a", raised_at=NOW)

    found = values()

    assert found["julaba_balance"] == 950
    assert found["julaba_drawdown_ratio"] == 0.25
    assert found["julaba_tick_age_seconds"] == 3
    assert found['julaba_candle_age_seconds{pair="BTC/USDT"}'] == 300
    assert found["julaba_backup_age_seconds"] == 7200
    assert found["julaba_backup_trial_age_seconds"] == float("inf")
    assert found['julaba_state{state="active"}'] == 1
    assert found['julaba_state{state="halted"}'] == 0
    assert found['julaba_alerts{severity="critical"}'] == 1


def test_trades_are_counted_by_side_and_by_what_they_made_after_fees() -> None:
    for gross, symbol in (("5", "A/USDT"), ("0.5", "B/USDT"), ("1", "C/USDT"), ("-3", "D/USDT")):
        close(factories.trade(NOW, symbol=symbol), gross=gross)
    factories.trade(NOW, symbol="E/USDT", unprotected_at=NOW)

    found = values()

    assert found['julaba_trades_total{side="long",outcome="won"}'] == 1
    assert found['julaba_trades_total{side="long",outcome="lost"}'] == 2
    assert found['julaba_trades_total{side="long",outcome="even"}'] == 1
    assert (found["julaba_open_positions"], found["julaba_unprotected_positions"]) == (1, 1)


def test_the_latency_of_signals_is_counted_once_however_often_one_looks() -> None:
    for seconds in (0.4, 3, 40):
        signal = factories.signal(NOW)
        decided = signal.bar_at + timedelta(minutes=15, seconds=seconds)
        type(signal).objects.filter(pk=signal.pk).update(decided_at=decided)

    first, again = values(), values()

    latencies = {name: value for name, value in first.items() if "latency" in name}
    assert latencies == {name: value for name, value in again.items() if "latency" in name}
    assert first['julaba_signal_latency_seconds_bucket{le="0.5"}'] == 1
    assert first['julaba_signal_latency_seconds_bucket{le="5.0"}'] == 2
    assert first['julaba_signal_latency_seconds_bucket{le="+Inf"}'] == first["julaba_signal_latency_seconds_count"] == 3
    assert first["julaba_signal_latency_seconds_sum"] == pytest.approx(43.4)


def test_a_database_without_an_account_is_told_as_such() -> None:
    found = values()

    assert "julaba_balance" not in found
    assert found["julaba_tick_age_seconds"] == float("inf")


def test_what_a_worker_counted_is_told_by_the_web_process(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    redis = FakeRedis()
    monkeypatch.setattr(meters, "_connection", lambda url: redis)
    meters.count("julaba_exchange_requests", endpoint="/api/v3/order", status="200")
    meters.observe("julaba_tick_duration_seconds", 0.3)
    meters.observe("julaba_tick_duration_seconds", 99.0)

    meters.flush("redis://worker")

    assert meters._waiting == {}
    told = client.get("/metrics").content.decode()
    assert 'julaba_exchange_requests_total{endpoint="/api/v3/order",status="200"} 1.0' in told
    assert 'julaba_tick_duration_seconds_bucket{le="0.25"} 0.0' in told
    assert 'julaba_tick_duration_seconds_bucket{le="0.5"} 1.0' in told
    assert 'julaba_tick_duration_seconds_bucket{le="+Inf"} 2.0' in told
    assert "julaba_tick_duration_seconds_count 2.0" in told


def test_without_redis_counts_wait_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(FakeRedis):
        def execute(self) -> None:
            raise ConnectionRefusedError

    monkeypatch.setattr(meters, "_connection", lambda url: Gone())
    for number in range(3000):
        meters.count("julaba_exchange_requests", endpoint=str(number), status="200")

    meters.flush("redis://gone")

    assert len(meters._waiting) == meters._MOST_WAITING


def test_everything_is_written_as_prometheus_reads_it(client: Client) -> None:
    factories.bot(NOW)

    answer = client.get("/metrics")

    families = {family.name for family in text_string_to_metric_families(answer.content.decode())}
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert {"julaba_balance", "julaba_trades", "julaba_signal_latency_seconds", "julaba_build_info"} <= families
    assert "process_resident_memory_bytes" in families


def test_the_machine_itself_is_answered_where_there_is_no_token(client: Client) -> None:
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="::1").status_code == 200


@pytest.mark.parametrize(
    "asking",
    [
        {"REMOTE_ADDR": "10.0.0.9"},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"HTTP_FORWARDED": "for=127.0.0.1"},
        {"HTTP_X_REAL_IP": "127.0.0.1"},
    ],
)
def test_nobody_else_is_answered(client: Client, asking: dict[str, str]) -> None:
    assert client.get("/metrics", **asking).status_code == 403  # type: ignore[arg-type]


def test_where_there_is_a_token_it_is_needed_from_everywhere(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN

    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 403
    assert client.get("/metrics", headers={"Authorization": TOKEN}).status_code == 403
    client.force_login(factories.user())
    assert client.get("/metrics").status_code == 403
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, REMOTE_ADDR="10.0.0.9")
    assert answer.status_code == 200


def test_the_account_is_the_same_for_both(client: Client) -> None:
    factories.bot(NOW, balance=Decimal("10212.40"))

    assert f"julaba_balance {float(Bot.objects.get().balance)}" in client.get("/metrics").content.decode()
