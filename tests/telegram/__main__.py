"""Run the server: `python -m tests.telegram --port 0`; one line of JSON names the port."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time

from tests.telegram.server import server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--parent", type=int)
    options = parser.parse_args()
    made = server(options.port)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    sys.stdout.write(json.dumps({"port": made.server_address[1]}) + "\n")
    sys.stdout.flush()
    while options.parent is None or os.getppid() == options.parent:
        time.sleep(0.5)


if __name__ == "__main__":
    main()
