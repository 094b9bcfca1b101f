"""Anybody's program as a trial: how it is started, supervised and ended, and what it leaves."""
