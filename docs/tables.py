"""Markdown tables of what a suite may say: keys, defaults, and what they take."""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from bench.leaderboard.columns.groups import WHOLE
from bench.leaderboard.columns.selection import headed
from bench.registry import BACKBONES, BUILT_IN, DATA
from bench.spec import parameters
from bench.spec.cell import Binarization, Recipe
from bench.spec.suite import Cross, Exclude, Include, Published, Suite, Tune

AXES = "names, or labels with parameters"
MODELS: dict[type[BaseModel], dict[str, str]] = {
    Suite: {
        "extends": "a shipped suite, or a file beside this one, that says what this one does not",
        "preset": "the lowest layer: `reference` is the released ReSTE code, `paper` the text",
        "estimators": "the first axis: what is compared; one's own `preset`, `train` and "
        "`structure` go first",
        "backbones": "the second: networks; one's own `train` and `data` go first",
        "data": "one data set",
        "wa": "the third: bits of weights and activations",
        "schedules": "the fourth: paths of the knob, for estimators that have one",
        "seeds": "repetitions: a number, a list, or a range as in `0..4`, both ends included",
        "include": "cells beyond the crossed axes",
        "exclude": "combinations to leave out, with the reason",
        "baseline": "the label that Δ and p compare with",
        "train": "the recipe that all rows share",
        "cross": "values of the recipe, or of `binarization`, that every backbone trains with, "
        "one after the other",
        "binarization": "what a binary layer does around sign",
        "plugins": "folders of estimators, networks and data sets of your own, beside this file",
        "published": "ledgers of published numbers, or numbers written here",
        "equilibrium": "the definition of e and s in the table",
        "tune": "values chosen for each estimator alone, with one budget",
        "teachers": "networks that an estimator's `teacher` may name; they are no axis",
    },
    Recipe: {
        "epochs": "how long",
        "batch_size": "images in one step",
        "optimizer": "",
        "lr": "learning rate after warm-up",
        "momentum": "of SGD; the betas of Adam and AdamW are torch's",
        "nesterov": "of SGD's momentum",
        "weight_decay": "",
        "no_decay": "kinds of parameters without weight decay: `latent` weights of binary layers, "
        "`weight` of other convolutions and linear maps, `bias`, `norm`, `other` (slopes, "
        "thresholds, a method's own)",
        "warmup": "epochs in which the learning rate rises",
        "lr_rule": "`clean` is the cosine to 0 after warm-up, `reference` the released code's; "
        "`linear` goes to lr_end, `linear_early` is one epoch ahead of it",
        "lr_steps": "of `step`: the epochs, from 0, at which the rate is multiplied",
        "lr_every": "of `step`: or a period in epochs",
        "lr_factor": "of `step`: one factor, or one for each of lr_steps",
        "lr_end": "of `linear`, `linear_early` and `exponential`",
        "loss": "`squared_hinge`: the mean of max(0, 1 - t·logit)² over classes, t = ±1",
        "label_smoothing": "of cross entropy: this part of each target goes to all classes alike",
        "progress": "of knobs; `e/(E-1)` reaches their end",
        "indicators": "measure e and s",
        "histograms": "epochs, from 0, at which histograms of latent values are kept",
    },
    Binarization: {
        "scale": "the mean of |w|, of a layer or a channel",
        "scale_at": "before or after the convolution; `post` keeps sums exact integers",
        "scale_grad": "whether the gradient sees that the scale depends on w",
        "scale_act": "scale by the mean of |x| of each image's input, too",
        "sign0": "the value of sign(0)",
        "padding": "what surrounds a binary input",
        "standardize": "(w - mean)/std of each filter before sign",
        "gradients": "format of the products of signs and gradients, of convolutions at 1/1",
    },
    Include: {
        "estimator": "a label of the suite, or `none`, which is called full precision everywhere",
        "backbone": "the suite's, if not said",
        "wa": "the suite's, if not said; `none` needs 32/32",
        "schedule": "",
        "seeds": "the suite's, if not said",
    },
    Exclude: {
        "estimator": "one or several",
        "backbone": "one or several",
        "wa": "one or several",
        "schedule": "one or several",
        "reason": "`bench plan` prints it",
    },
    Published: {
        "ledgers": "by name; `published: table3` is short for this",
        "source": "who printed the numbers in `acc`",
        "wa": "whose rows they stand beside",
        "backbone": "the same; any, if the suite has but one",
        "acc": "percent, by label",
        "caution": "what must be known of them all; boards say it",
        "protocol": "what is known of that training; numbers of another one are not compared",
    },
    Cross: {
        "train": "values of keys of `train`: `{epochs: [3, 10, 30]}`",
        "binarization": "values of keys of `binarization`: `{gradients: [float32, bfloat16]}`",
    },
    Tune: {
        "train": "candidates of keys of `train`",
        "estimators": "of parameters, by label",
        "backbones": "of parameters, by label",
        "held_out": "the part of the training images that trials are judged on",
        "budget": "trials of each estimator; the size of the smallest grid, if not said",
        "seeds": "of each trial",
    },
}  # fmt: skip
TAKES: dict[tuple[type[BaseModel], str], str] = {
    (Suite, "estimators"): AXES,
    (Suite, "backbones"): AXES,
    (Suite, "teachers"): AXES,
    (Suite, "data"): "a name, with or without parameters",
    **dict.fromkeys(((model, "seeds") for model in (Suite, Include, Tune)), "numbers from 0"),
}


def tables() -> dict[str, str]:
    """Each table by the name that a page has for it."""
    found = {model.__name__: _table(_keys(model, text)) for model, text in MODELS.items()}
    networks = {name: BACKBONES.load(name) for name in BACKBONES.names()}
    return found | {
        "Networks": "\n\n".join(_named(networks.items())),
        "Data": "\n\n".join(_named((name, DATA.load(name)) for name in BUILT_IN)),
        "Columns": "\n".join(_columns()),
    }


def _columns() -> Iterator[str]:
    yield "| head | key | what it is |\n|---|---|---|"
    for column in headed(("tier", *WHOLE), "paper"):
        words = (column.head, f"`{column.key}`", column.about)
        yield f"| {' | '.join(word.replace('|', '&#124;') for word in words)} |"


def of_model(model: type[BaseModel], meanings: dict[str, str] | None = None) -> str:
    """The parameters of a plugin or data set."""
    return _table(_keys(model, meanings or {})) if model.model_fields else "No parameters."


def _named(models: Iterable[tuple[str, type[BaseModel]]]) -> Iterator[str]:
    for name, model in models:
        yield f"### {name}\n\n{of_model(model)}"


def _keys(model: type[BaseModel], meanings: dict[str, str]) -> Iterator[tuple[str, ...]]:
    schema = model.model_json_schema(by_alias=False)
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else _default(field.get_default())
        takes = parameters.describe_type(schema["properties"][name], schema)
        words = TAKES.get((model, name)) or _plainly(takes)
        yield f"`{name}`", default, words, meanings.get(name, field.description or "")


def _default(value: Any) -> str:
    if isinstance(value, BaseModel):
        return "see below"
    return "-" if value in (None, "", [], {}) else f"`{parameters.to_yaml(value)}`"


def _plainly(takes: str) -> str:
    """Without what a suite's writer need not know: null is to say nothing."""
    for said, plainly in ((" | null", ""), (", at least 1 items", ""), ("object", "mapping")):
        takes = takes.replace(said, plainly)
    return takes


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    """Without its last column, if that says nothing."""
    rows = [*rows]
    width = 4 if any(row[3] for row in rows) else 3
    lines = [("key", "default", "takes", "means"), ("---",) * 4, *rows]
    cells = ([x.replace("|", "&#124;") for x in row[:width]] for row in lines)
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)
