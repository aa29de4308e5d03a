"""AI and models: advisers, what they learn from, and what their word was worth."""

from __future__ import annotations

import os

# Threads that wait for each other by spinning take ten times as long where others want the processor too.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
