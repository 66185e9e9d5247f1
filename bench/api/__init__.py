"""
What `import bench` gives: plan, run, board, cells, records, check, plot and others, as functions.

Doors: binary_weights, plugin_check, recorded_cells, results_site, suite_board, suite_figures,
suite_plan, suite_run.

Never: prints, but for the progress of a run; ends the process; imports torch to read results.
"""
