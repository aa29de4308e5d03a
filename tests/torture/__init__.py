"""The order path under kills, pauses and a failing venue: `python -m tests.torture --help`."""
