"""What training costs on this machine: ratios to a plain eager oracle, and parts of its limits."""
