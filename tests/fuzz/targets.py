"""
What is thrown at what: a target makes an input and returns a call that reads it.

To add one: a function `(Box, Random) -> Read`, and its line in `TARGETS`.
"""

from fuzz.albums import npz, parquet
from fuzz.archives import archives
from fuzz.box import Target
from fuzz.bundles import bundles
from fuzz.checkpoints import checkpoints
from fuzz.fleet import machines, submissions
from fuzz.images import cifar, idx, images
from fuzz.journals import journals
from fuzz.kept_files import copies, indexes
from fuzz.leases import leases
from fuzz.plugins import plugins
from fuzz.publishing import handed_in, sites
from fuzz.records import names, plans, records, weights
from fuzz.suites import ledgers, presets, suites

TARGETS: dict[str, tuple[Target, int]] = {  # and how many inputs `make fuzz` makes
    "suites": (suites, 10_000),
    "records": (records, 2_000),
    "plans": (plans, 1_000),
    "weights": (weights, 1_000),
    "cifar": (cifar, 2_000),
    "idx": (idx, 2_000),
    "images": (images, 5_000),
    "plugins": (plugins, 2_000),
    "ledgers": (ledgers, 1_000),
    "presets": (presets, 500),
    "names": (names, 500),
    "checkpoints": (checkpoints, 1_000),
    "journals": (journals, 2_000),
    "archives": (archives, 2_000),
    "leases": (leases, 1_000),
    "machines": (machines, 2_000),
    "submissions": (submissions, 1_000),
    "indexes": (indexes, 1_000),
    "copies": (copies, 1_000),
    "bundles": (bundles, 2_000),
    "handed_in": (handed_in, 1_000),
    "sites": (sites, 1_000),
    "npz": (npz, 2_000),
    "parquet": (parquet, 2_000),
}
