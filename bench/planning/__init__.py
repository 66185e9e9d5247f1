"""
From a suite to a plan: plugins built, axes crossed, a reason for all that is left out.

Doors: `planner.plan`, `planner.resolve` for a suite without its data, `explain` for where each
value is from, `json_schema` for editors. Nothing is trained here and no results folder is read.
"""
