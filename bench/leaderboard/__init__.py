"""
From a plan and its records to ranked tables: `stats/`, `tables/`.

Doors: answers, board, cell_table, cell_trace, columns.column, columns.groups, columns.selection,
equivalence, frame_files, per_layer, ranking, saved, sequential, stats.equivalence, stats.friedman,
stats.intervals, stats.power, tables.choice, tables.formats, tables.json, tables.layout,
tables.render, tables.terminal, tables.trace_text, trace, tuning, undecided_pairs.

Never: imports torch, or trains.
"""
