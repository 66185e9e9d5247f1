"""Networks of packed bits, as `bench deploy` writes them, and the reader that goes with them."""

import contextlib
import json
import shutil
from random import Random

from bench.deploy import bundle, reader
from fuzz import mutate
from fuzz.box import Box, Read
from fuzz.sound import measured, restore


def bundles(box: Box, rng: Random) -> Read:
    """A file of packed bits that is damaged, or whose header says something else."""
    if "bits" not in box.known:
        plan, _ = measured(box)
        restore(box, "cells/")
        order = bundle.Order(plan.cells[0].slug, box.results, None, forms=("bits",), images=4)
        made = box.inside / "deployed"
        list(bundle.deploy(order, made))
        box.known["bits"] = (made / "bits.safetensors").read_bytes()
        shutil.rmtree(made)
        box.clear()
    good: bytes = box.known["bits"]
    if rng.random() < 0.3:
        bad = mutate.raw(rng, good)
    else:
        size = int.from_bytes(good[:8], "little")
        header = json.loads(good[8 : 8 + size])
        texts = header["__metadata__"]
        if rng.random() < 0.7:
            name = rng.choice(["program", "about"])
            texts[name] = json.dumps(mutate.structure(rng, json.loads(texts[name])))
        else:
            header = mutate.structure(rng, header)
        said = json.dumps(header).encode(errors="replace")
        bad = len(said).to_bytes(8, "little") + said + good[8 + size :]
    path = box.put("bits.safetensors", bad)

    def read() -> None:
        with contextlib.suppress(ValueError):
            reader.Model(path)

    return read
