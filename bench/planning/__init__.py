"""
From a suite to a plan: plugins built, axes crossed, a reason for all that is left out.

`planner` is the way in one function: `resolved_suite` reads, builds (`axes`) and judges, `rows`
crosses the axes (`combinations`) and builds `cells` and `tuning_trials`, `claims` puts published
numbers beside them. `explain` says where each value is from, `json_schema` serves editors.
Nothing is trained here and no results folder is read.
"""
