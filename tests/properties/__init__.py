"""The whole order path under random histories."""
