#!/usr/bin/env python
"""Django's command line for Julaba."""

import os
import sys
from typing import NoReturn


def refuse(reason: str) -> NoReturn:
    print(f"Julaba cannot start: {reason}", file=sys.stderr)
    sys.exit(2)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "julaba_site.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        settings.INSTALLED_APPS  # noqa: B018 - reads the settings, and with them the environment
    except ImproperlyConfigured as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename} cannot be written ({error.strerror}): choose another JULABA_DATA_DIR")
    except ValueError:  # not repeated: a mistyped address may hold the password
        refuse("DATABASE_URL is no address such as postgres://USER:PASSWORD@HOST:5432/NAME: correct or unset it")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
