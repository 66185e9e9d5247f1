"""
What is asked for, as validated values: suite, cell, plan, published numbers.

Doors: cell, cell_status, choices, composition, filters, label, parameters, plan, plugin, preset,
published, schedule, suite, suite_file.

Never: imports torch; builds a plugin; touches results.
"""
