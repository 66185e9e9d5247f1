"""
One training: the network put together, the loop, its probe, snapshots, checkpoints, evaluation.

Doors: checkpoint, checkpoint_folders, compile_policy, determinism, devices, evaluation, levels,
model, observer, optimizer, outcome, parents, ranks, resource_meter, sharing, snapshot, stand_in,
trainer, verify, weights.

Never: names a plugin, a suite or a table.
"""
