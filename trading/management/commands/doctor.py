"""manage.py doctor: examine this machine and the system on it, and the key and account of the venue that EXCHANGE names."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from json import dumps
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

from trading import market_wiring, wiring
from trading.adapters.ccxt_broker import CcxtBroker
from trading.adapters.ccxt_market import CcxtMarket
from trading.adapters.ccxt_probe import CcxtProbe
from trading.core.ports import AccessDenied, OrderRejected
from trading.models.credentials import DoctorRun, Environment
from trading.services import doctor, parameters
from trading.services.credentials import Credentials

MINIMUM_CASH = Decimal(20)
"""Quote: what the trial order costs, with room for the venue's least order."""


class Examination(CcxtProbe):
    """The adapter's probe in the doctor's own words."""

    def permissions(self, *, now: datetime) -> doctor.Permissions:
        return doctor.Permissions(**asdict(self.rights()))

    def self_test(self, symbol: str, *, now: datetime) -> str:
        try:
            return super().self_test(symbol, now=now)
        except AccessDenied:
            raise
        except OrderRejected as error:
            raise doctor.SelfTestFailed(str(error)) from error


class Command(BaseCommand):
    help = (
        "Examine this system and, where EXCHANGE names a real venue, the stored key and the account there. "
        "Exit code 1: a check failed; 2: it could not be asked."
    )

    # It makes them itself, and says what they found.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--system", action="store_true", help="leave the venue out")
        only.add_argument("--venue", action="store_true", help="look at nothing but the venue")
        parser.add_argument("--sandbox", action="store_true", help="examine the sandbox key at the venue's sandbox")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *, sandbox: bool, system: bool, venue: bool, json: bool, **options: Any) -> None:
        is_simulated = settings.EXCHANGE == market_wiring.SIMULATED
        if is_simulated and (venue or sandbox):
            raise CommandError("the simulated market needs no key: set EXCHANGE, such as binance", returncode=2)
        checks: list[dict[str, Any]] = []
        if not venue:
            examine = import_string(settings.EXAMINATION)
            checks += [asdict(check) for check in examine(now=timezone.now())]
        if not is_simulated and not system:
            checks += _examine(sandbox=sandbox).checks
        failed = [check["name"] for check in checks if not check["passed"]]
        if json:
            self.stdout.write(dumps({"passed": not failed, "exchange": settings.EXCHANGE, "checks": checks}, indent=1))
        else:
            for check in checks:
                self.stdout.write(f"{'ok  ' if check['passed'] else 'FAIL'} {check['name']}: {check['text']}")
        what = "Julaba" if is_simulated or system else settings.EXCHANGE
        if failed:
            raise CommandError(f"{what} is not fit, {', '.join(failed)} failed: mend that", returncode=1)
        if not json:
            self.stdout.write(f"{what} is fit for {'sandbox' if sandbox else settings.TRADING_MODE}.")


def _examine(*, sandbox: bool) -> DoctorRun:
    now = timezone.now()
    _, params = parameters.in_force(now=now)
    return doctor.run(
        exchange=settings.EXCHANGE,
        mode=Environment.SANDBOX if sandbox else Environment.LIVE,
        connect=lambda keys: _connect(keys, sandbox=sandbox),
        terms=doctor.Terms(
            symbols=params.pairs,
            minimum_cash=MINIMUM_CASH,
            local_protection=settings.LOCAL_PROTECTION,
            sqlite=settings.LIVE_ON_SQLITE,
        ),
        now=now,
    )


@sensitive_variables("keys")
def _connect(keys: Credentials, *, sandbox: bool) -> doctor.Probe:
    client = wiring.client(keys, sandbox=sandbox)
    return Examination(broker=CcxtBroker(client=client), market=CcxtMarket(client), sandbox=sandbox)
