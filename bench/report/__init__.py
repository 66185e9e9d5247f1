"""
What is drawn of results: `figures/`, one HTML `page/` of a suite, a `site/` of many.

Doors: figures.files, figures.kinds, page.write, site.write.

Never: ranks, or writes into a results folder.
"""
