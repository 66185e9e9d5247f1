"""Suites that ship: one YAML file per comparison, headed by the question it answers."""
