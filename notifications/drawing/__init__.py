"""Pictures of charts and reports. Nothing here knows Django: it runs in a process of its own, which ends with the picture."""
