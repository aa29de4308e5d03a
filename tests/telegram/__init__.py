"""A Bot API server of our own: it keeps what is sent, refuses what Telegram refuses, and fails as it is told."""
