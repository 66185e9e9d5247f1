"""What everything stands on: text, files, YAML with places, signals, machine. No torch."""
