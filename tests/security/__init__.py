"""What keeps strangers out, and those who are in to their roles: each test fails when its setting is removed."""
