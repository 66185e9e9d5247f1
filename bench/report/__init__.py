"""
What is drawn of results: `figures/`, and one HTML `page/`.

Doors: figures.files, figures.kinds, page.write.

Never: ranks, or writes into a results folder.
"""
