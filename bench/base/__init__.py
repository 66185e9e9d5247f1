"""
Text, files, YAML with places, validation, signals, times, the machine.

<<<<<<< HEAD
Doors: answer_cache, console, duration, entry_points, file_states, files, local_modules, machine,
plain_data, python_files, redaction, signals, text, tracebacks, user_folders, validation,
yaml_document.
=======
Doors: answer_cache, console, duration, entry_points, file_states, files, finite, machine,
plain_data, python_files, redaction, signals, text, tracebacks, validation, yaml_document.
>>>>>>> 2cf661d (Records are told from an index in the user's cache, their curves read when asked for; a cell's id is made once)

Never: knows what it is used for; imports torch.
"""
