"""
Data sets: found, fetched, checked, decoded, augmented on the device.

Doors: dataset, download, source, sources.

Never: knows of networks or suites.
"""
