"""
Text, files, YAML with places, validation, signals, times, the machine.

Doors: answer_cache, child_processes, collector, console, duration, entry_points, file_states,
files, finite, local_modules, machine, network, plain_data, python_files, redaction, signals, text,
tracebacks, user_folders, validation, yaml_document.

Never: knows what it is used for; imports torch.
"""
