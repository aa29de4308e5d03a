"""What the system must survive, proved against a venue that fails on purpose."""
