"""The API of the pages' own users: JSON by session, with Django's CSRF token on whatever changes something."""
