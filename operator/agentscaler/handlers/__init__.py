"""Translate what kopf says into words of the registry; nothing is decided here."""
