"""
What `bench doctor` looks at: one function for each check, which yields findings and stops nothing.

Its door is `checks.examine`. Imports torch only within functions, since a torch that cannot be
imported is one of the findings.
"""
