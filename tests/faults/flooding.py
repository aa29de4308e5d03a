"""A web process whose pages ask the database all at once: `python -m tests.faults.flooding PAGES SECONDS`.

Prints how many got their answer, then the most connections that PostgreSQL saw it have.
"""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor


def main(pages: int, seconds: float) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "julaba_site.settings"
    import django

    django.setup()
    from django.db import OperationalError, connection

    most, starting = [0], threading.Barrier(pages)

    def page(number: int) -> bool:
        """Ask as a page does: in a thread of its own, and the connection is given back in the end."""
        starting.wait()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pages'")
                most[0] = max(most[0], cursor.fetchone()[0])
                cursor.execute("SELECT pg_sleep(%s)", [seconds])
        except OperationalError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(pages) as pool:
        answered = sum(pool.map(page, range(pages)))
    connection.close_pool()  # type: ignore[attr-defined] # of PostgreSQL's alone
    sys.stdout.write(f"{answered} {most[0]}")


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
