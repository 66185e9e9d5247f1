"""From a plan and its records to ranked tables in every format. No torch."""
