"""
Hostile input, thrown at everything that reads a file.

    make fuzz                                   10,000 suites, 2,000 records, and the rest
    cd tests && python -m fuzz suites=100       a part of it
    cd tests && python -m fuzz suites:4711      one input again, with its traceback

An input is made by mutating a sound one with a random generator seeded by target and number, so
that it can be made again. It must be read, or refused with a `BenchError`, within seconds, and
write nothing outside the results folder. A new target is a function in `targets.py`.
"""
