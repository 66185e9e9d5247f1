# Two commands do everything: `make demo` and `make test`. Each makes its own environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Hundreds of processes of the tests import the same files: they are compiled once, whoever says otherwise.
export PYTHONDONTWRITEBYTECODE :=

SYSTEM := texlive-latex-base texlive-latex-recommended poppler-utils chromium \
  munge slurmctld slurmd slurm-client slurmdbd mariadb-server-core mariadb-client-core
COMMANDS := pdflatex pdftoppm chromium munged slurmctld slurmd sbatch slurmdbd mariadbd mariadb

# Of torch what is promised, and what there is: each in an environment of its own.
OLDEST := $(shell sed -n 's/^ *"torch>=\(.*\)",/\1/p' pyproject.toml)
OF_TORCH := tests/nn tests/train tests/plugins tests/properties tests/execution tests/speed

# Tests start hundreds of processes: what Python compiles for one, the next need not.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo environment system test check docs pytest slow slow-computing slow-clusters clusters \
  oldest newest of-torch fuzz bench fix declare renew schema hooks clean

help:  ## this text
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

demo: $(VENV)/.demo  ## install, run the quickstart suite, print its leaderboard (5 minutes)
	$(BIN)/bench run suites/quickstart.yaml

environment: $(VENV)/.dev

test: check pytest  ## lint, types, import contracts, tests

system:  ## TeX, Chromium and Slurm from Debian (as root), for the tests that skip without them
	@if ! command -v apt-get >/dev/null; then echo "no apt-get here: nothing installed"; \
	elif which $(COMMANDS) >/dev/null && kpsewhich booktabs.sty >/dev/null; \
	then echo "already here: $(SYSTEM)"; \
	else echo "installing from Debian: $(SYSTEM)"; export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -qq && apt-get install -qq -y --no-install-recommends $(SYSTEM) >/dev/null; fi

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

docs: $(VENV)/.dev  ## the site, into docs/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict -f docs/mkdocs.yml

pytest: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist worksteal $(T)

slow: $(VENV)/.dev  ## the tests that take a minute each; those of clusters beside the others
	+$(MAKE) -kj2 -O slow-computing slow-clusters

slow-computing: $(VENV)/.dev
	$(BIN)/python -m pytest -m "slow and not long" -n auto --dist worksteal --durations=60 --ignore tests/fleet

slow-clusters: $(VENV)/.dev  # one after the other: they wait for schedulers more than they compute
	$(BIN)/python -m pytest -m "slow and not long" tests/fleet

clusters: $(VENV)/.dev  ## every test with a real Slurm and a real Ray (a quarter of an hour)
	$(BIN)/python -m pytest -m slow tests/fleet

oldest:  ## what uses torch, with the oldest one that is promised (5 GB, 20 minutes)
	@mkdir -p .venv-oldest && echo 'torch==$(OLDEST).*' >.venv-oldest/torch.txt
	PIP_CONSTRAINT=$(CURDIR)/.venv-oldest/torch.txt $(MAKE) VENV=.venv-oldest of-torch

newest:  ## the same with the newest torch and torchvision that fit together
	$(MAKE) VENV=.venv-newest .venv-newest/.dev
	.venv-newest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager torch torchvision
	@listed=$$(.venv-newest/bin/python -m pip index versions torch 2>/dev/null | sed -n '1s/.*(\(.*\)).*/\1/p'); \
	has=$$(.venv-newest/bin/python -c 'import torch; print(torch.__version__.partition("+")[0])'); \
	[ "$$listed" = "$$has" ] || echo "torch $$has is tested, though the registry lists $$listed: pip is kept from it" \
	  "here (see pip config list, without which PIP_CONFIG_FILE=/dev/null runs), or no torchvision fits it"
	$(MAKE) VENV=.venv-newest of-torch

of-torch: $(VENV)/.dev
	$(BIN)/python -c 'import torch; print("torch", torch.__version__)'
	$(BIN)/python -m bench doctor | grep -E "^(ok|warn|fail) +(torch|speed-ups)"
	$(BIN)/python -m pytest -m "slow or not slow" -n auto --dist worksteal -W "ignore::DeprecationWarning" $(OF_TORCH)

fuzz: $(VENV)/.dev  ## hostile input: 10,000 suites, 2,000 records and the rest (half an hour)
	cd tests && PYTHONPATH=.. OMP_NUM_THREADS=1 ../$(BIN)/python -m fuzz $(T)
	test -n "$(T)" || OPERATIONS=all CHANGES=400 $(BIN)/python -m pytest -m slow \
	  tests/system/test_kill.py tests/results/test_merges_at_once.py -k "cut_short or file_operation"

bench: $(VENV)/.dev  ## speed as ratios to the oracle, and of the limits; COMPILE=1 for all
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only --benchmark-columns=min,median,rounds

fix: $(VENV)/.dev  ## everything a machine can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

declare: $(VENV)/.dev  ## the numeric core changed and no bit of the golden curves did: say so
	$(BIN)/python tests/exact_curves.py declare

renew: $(VENV)/.dev  ## numbers changed: note the golden curves and the core anew
	$(BIN)/python tests/exact_curves.py renew

schema: $(VENV)/.dev  ## the JSON Schema beside the shipped suites
	$(BIN)/bench schema --output suites/suite.schema.json

hooks: $(VENV)/.dev  ## check every commit
	$(BIN)/pre-commit install

clean:  ## forget the environment
	rm -rf $(VENV)

# torch and torchvision come together, from the registry: a CPU-only torch clashes with torchvision.
$(VENV)/.demo: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "signbench needs Python 3.11 or newer; give it as make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@
