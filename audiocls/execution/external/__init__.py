"""Anybody's program as a trial: what it is told, how it is kept, what it leaves."""
