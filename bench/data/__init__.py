"""Data sets: found, fetched, checked, decoded, augmented on the device."""
