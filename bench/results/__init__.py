"""
The results folder: records, who may write them, what is stale, moved, merged.

Doors: archive, attic, cell_folders, cell_state, diff, equilibrium, garbage, lease, local_code,
merge, named_data, owner, plan_owner, provenance, publication, record, record_diff, source_digest,
store, submission, weight_files.

Never: imports torch; deletes anything.
"""
