"""Short jobs that try a profile: its queue, its machines, and the folder between them."""
