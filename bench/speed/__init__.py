"""What training costs here: step time, packing, forecast, budget; and the survey of the harness."""
