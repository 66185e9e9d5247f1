"""A board laid out in words, and its formats."""
