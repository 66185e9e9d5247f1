"""Means, intervals, tests and power; nothing here knows of suites."""
