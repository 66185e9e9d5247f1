"""
The `bench` command: parse, call, print.

Doors: app.

Never: computes what another package could; imports torch before a command needs it.
"""
