"""The `bench` command: parse, call, print."""
