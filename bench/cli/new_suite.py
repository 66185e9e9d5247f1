"""`bench init`: a suite that runs as it stands, every common key explained."""

from pathlib import Path

from bench.base.files import write_file
from bench.base.text import CONTROLS
from bench.errors import UsageError

TEMPLATE = """\
# yaml-language-server: $schema=suite.schema.json
# Which of four estimators trains a small binary ResNet-20 best on handwritten digits?
#
# The comment above is the suite's question: put yours there. `bench plan {file}` shows what the
# rest means, cell by cell; `bench show suite {file}` where each value comes from. The editor's
# line at the top works once `bench schema -o suite.schema.json` has written that file.

# What is compared. `bench list estimators` names all; `bench show estimator reste` their
# parameters, which go into braces. A list makes a row of each of its values.
estimators:
  ste: {{}}
  ede: {{}}
  reste: {{matrix: {{o_end: [2, 3]}}}}

# In which networks, and how wide. `bench list backbones` names them.
backbones:
  resnet20: {{width: 4}}

# On what. `bench data list` tells what is there; `bench data prepare cifar10` fetches it.
# `digits: {{train: 500}}` would take the first 500 images alone.
data: digits

# Bits of weights and activations: 1/1 both binary, 1/32 weights alone, 32/32 neither; for
# estimators that can have more also 1/2, 2/32, 4/4.
wa: [1/1]

# The paths that knobs take, for estimators that have one; `default` is each one's own.
# `bench list schedules` names them: each is a row more.
schedules: [default]

# Repetitions. Under three there are no honest intervals; `0..4` is five.
seeds: 0..2

# Cells beside all these combinations, and combinations to leave out, with the reason.
include:
  - {{estimator: none, wa: 32/32}}  # full precision: shown, not ranked
# exclude:
#   - {{estimator: ede, wa: 1/32, reason: "not asked here"}}

# The row that the others' differences are counted from.
baseline: ste

# How everything is trained, the same for all rows: an accuracy compares nothing otherwise.
train:
  epochs: 6
  batch_size: 64
  optimizer: sgd          # or adamw
  lr: 0.1
  momentum: 0.9
  weight_decay: 1.0e-4
  warmup: 1               # epochs in which lr rises
  lr_rule: clean          # a cosine to 0; `reference` is the released ReSTE code's

# Choose values for each estimator alone, all with one budget, on held-out training images:
# tune:
#   train: {{lr: [0.03, 0.1, 0.3]}}
#   held_out: 0.2
"""


def write_suite(name: str, *, force: bool) -> Path:
    """
    Write `NAME.yaml`, or the file that NAME is.

    Raises:
        UsageError: it is there and not to be replaced, or no suite can have the name.
        EnvironmentProblem: it cannot be written.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else Path(f"{name}.yaml")
    if not Path(name).stem.strip(".") or CONTROLS.search(name):
        message = f"`{name}` is no name for a suite; give one as in `bench init mine`"
        raise UsageError(message)
    if path.exists() and not force:
        message = f"`{path}` is there already; choose another name, or --force replaces it"
        raise UsageError(message)
    return write_file(path, TEMPLATE.format(file=path))
