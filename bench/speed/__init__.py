"""
What training costs here: step time, cells at a time, forecast, budget; `survey/` measures the
harness itself.

Doors: budget, calibration, forecast, makespan, measure, packing, run_slots, slots,
survey.cases, survey.method_cases, survey.survey, survey.table, throughput.

Never: changes a number of a record.
"""
