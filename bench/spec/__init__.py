"""
What is asked for, as validated values: suites, cells, plans, published claims. No torch.

A suite file becomes a document in `composition`, whose steps are a file each: `suite_file`,
`short_forms`, `extends`, `overrides`, `preset`. `suite` says which fields it may have, `cell` what
one training run is and what it is called, `plan` what a suite comes to. No plugin is imported here.
"""
