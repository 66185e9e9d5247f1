"""Rational and flexible: verdicts on a grid, other definitions, checks of a plugin, proofs."""
