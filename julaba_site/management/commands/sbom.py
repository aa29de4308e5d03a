"""manage.py sbom: write down what is installed, as CycloneDX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from julaba_site import sbom


class Command(BaseCommand):
    help = "Write the bill of materials: every installed package with its licence and what it needs, as CycloneDX JSON."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, help="the file to write (default: the terminal)")

    def handle(self, *, output: Path | None, **options: Any) -> None:
        told = json.dumps(sbom.bill(version=settings.CODE_VERSION, now=timezone.now()), indent=1)
        if output is None:
            self.stdout.write(told)
        else:
            output.write_text(told + "\n", encoding="utf-8")
