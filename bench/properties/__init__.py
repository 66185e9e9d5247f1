"""
Rational and flexible: verdicts on a grid, other readings, checks of a plugin; `proof/` for every
real z.

Doors: backbone_claims, certificates, check, check_text, checked_kind, claim, criterion, curve,
data_claims, estimating_error, latents, verdicts.

Tests of estimators, a stranger's too, import conformance; the harness never does.

Never: trains a cell, or touches a plan.
"""
