"""Render decisions: status, history, Events, metrics, logs. Sends nothing itself."""
