"""What is asked for, as validated values: suites, cells, plans, published claims. No torch."""
