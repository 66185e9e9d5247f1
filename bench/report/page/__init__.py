"""`bench report`: a suite's results as one HTML file that needs nothing else."""
