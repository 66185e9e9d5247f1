"""`bench site`: many suites and results folders as one folder of pages that needs no server."""
