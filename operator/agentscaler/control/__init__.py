"""Join observing, deciding, acting and reporting in one loop for all policies; knows no kopf."""
