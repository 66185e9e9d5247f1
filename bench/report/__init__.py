"""What is drawn of results: figures, and one HTML page."""
