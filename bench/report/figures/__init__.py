"""Figures of what suites measured: drawn from a plan and its records, in one style."""
