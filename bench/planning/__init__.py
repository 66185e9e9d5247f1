"""
From a suite to a plan: plugins built, axes crossed, a reason for all that is left out.

Doors: explain, json_schema, plan_check, planner, resolved_suite, suite_cache.

Never: trains, or reads records.
"""
