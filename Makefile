# The project's commands. `make` lists them.
#   PYTHON=python3.12   the interpreter to build .venv with (3.11 or 3.12)
#   TORCH=torch==2.14.1 the build of torch, for a GPU's driver say; the last bits of results differ between builds
#   LOCK=               the newest versions that pyproject.toml allows, in place of those that were tried together
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
TORCH ?= torch==2.13.0
LOCK ?= constraints.txt
CAMERA ?= cam07
MODEL ?= walt3d
PRESET ?= tiny
SCHEDULER ?=
FORMAT ?= coco
EXTRAS ?=
ARGS ?=

BIN := .venv/bin
DATA = $(or $(WALT3D_DATA),data)
RUNS = $(DATA)/runs
CORE := .venv/.core-installed
TRAINING := .venv/.training-installed
TESTING := .venv/.testing-installed
MM := .venv/.mm-installed
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(LOCK),--constraint $(LOCK))
# What is installed already, be it older than pyproject.toml, will do for targets that only look: they work offline.
once = $(if $(wildcard $(1)),,$(1))
BENCHMARKS = $(basename $(notdir $(shell grep -l __main__ benchmarks/*/*.py)))

.PHONY: help setup setup-mm weights clipart train evaluate predict reproduce-occlusion-net reproduce-walt3d reproduce-klpnet reproduce-opec-net label test test-random lint bench bench-stale schema wheel lock clean
.DEFAULT_GOAL := help

help:
	@echo "make clipart CAMERA=cam07   frames to clip-art shards and a gallery; installs what it needs first"
	@echo "     SCHEDULER=host:port    show the run on a luigid's page"
	@echo "     ARGS='--scenes 500'    more of the luigi line"
	@echo "make export CAMERA=cam07    the shards in another program's format; FORMAT=coco"
	@echo "make train CAMERA=cam07     the network that sees through occlusion, on the camera's clip-art; PRESET=base for a GPU"
	@echo "     MODEL=detector         another network; a stopped run resumes"
	@echo "make evaluate MODEL=matting       how well a network does on what its training kept for validation"
	@echo "make predict MODEL=occlusion_net ARGS='street.jpg --box X Y W H'   a network on pictures, videos or a job"
	@echo "make reproduce-occlusion-net           Occlusion-Net rendered, trained and measured again"
	@echo "make reproduce-walt3d       what clip-art teaches beside ordinary labels; seven hours on two cores, resumes"
	@echo "make reproduce-opec-net     what OPEC-Net and CoupleGraph add where people hide each other; six hours, resumes"
	@echo "make reproduce-klpnet       keypoints and links of many classes; six hours on two cores, resumes"
	@echo "make label CAMERA=mine      a local page that shows the camera's crops and records which are occluded"
	@echo "make test                   install what the tests need, check style and types, run the tests"
	@echo "make test-random            the laws alone, on new examples every time and ten times as many"
	@echo "make lint                   style and types only"
	@echo "make bench                  every benchmark with its bars"
	@echo "make bench-stale            those whose section of docs/results.md is older than its code, then the document"
	@echo "make schema                 every column of every table"
	@echo "make setup EXTRAS=onnx      only install, here with an extra of pyproject.toml"
	@echo "make setup-mm               install mmdet and mmpose; builds mmcv's operators where no wheel is at hand"
	@echo "make weights                download and check published weights of mmdet and mmpose; MODEL=name,name for others"
	@echo "make wheel                  a wheel in dist/, which works without this folder"
	@echo "make lock                   constraints.txt of the versions in .venv"
	@echo "make clean                  remove the environment and caches; never data/"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13) and "expected Python 3.11 or 3.12: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv

$(CORE): pyproject.toml $(LOCK) | $(BIN)/python
	$(PIP) '$(TORCH)'
	$(PIP) --editable .
	.ci/system-libraries $(BIN)/python
	touch $@

$(TRAINING): pyproject.toml $(LOCK) | $(CORE)
	$(PIP) --editable '.[train]'
	touch $@

$(MM): .ci/install-mm $(LOCK) | $(CORE)
	.ci/install-mm $(BIN)/python $(LOCK)
	touch $@

$(TESTING): pyproject.toml $(LOCK) | $(CORE) $(MM)
	$(PIP) --editable '.[dev,onnx,train]'
	touch $(TRAINING) $@

setup: $(CORE)
	$(if $(EXTRAS),$(PIP) --editable '.[$(EXTRAS)]')

setup-mm: $(MM)

weights: $(MM)
	$(BIN)/luigi --module tasks FetchWeights $(if $(filter command environment,$(origin MODEL)),--models $(MODEL)) $(ARGS)

clipart: $(CORE)
	$(BIN)/luigi --module tasks GenerateClipArt --camera $(CAMERA) $(if $(SCHEDULER),--scheduler-url http://$(SCHEDULER)) $(ARGS)

.PHONY: export
export: $(CORE)
	$(BIN)/luigi --module tasks Export --camera $(CAMERA) --format $(FORMAT) $(if $(SCHEDULER),--scheduler-url http://$(SCHEDULER)) $(ARGS)

# These are networks of mmdet that learn from a camera's own clip-art; without MODEL only training takes walt3d.
OF_CAMERA = $(if $(filter detector walt3d,$(MODEL)),--camera $(CAMERA) --preset $(PRESET))
NAMED = $(if $(filter-out file,$(origin MODEL)),$(MODEL))
TRAIN = $(if $(OF_CAMERA),Evaluate --weights run $(OF_CAMERA),Train --preset $(PRESET))

train: $(TRAINING) $(if $(OF_CAMERA),$(MM))
	$(BIN)/luigi --module tasks $(TRAIN) --model $(MODEL) $(if $(SCHEDULER),--scheduler-url http://$(SCHEDULER)) $(ARGS)

evaluate: $(CORE) $(if $(NAMED),$(if $(OF_CAMERA),$(MM)))
	$(BIN)/python -m tasks.evaluate $(NAMED) $(if $(NAMED),$(OF_CAMERA)) $(ARGS)

predict: $(CORE) $(if $(NAMED),$(if $(OF_CAMERA),$(MM)))
	$(BIN)/python -m tasks.predict $(NAMED) $(ARGS)

# Rendered, trained and measured again; the model's card says how long each part takes.
reproduce-occlusion-net: $(TESTING)
	$(BIN)/luigi --module tasks Train --model occlusion_net --preset baseline
	$(BIN)/python -m models.occlusion_net.stack --baseline $(RUNS)/occlusion_net-baseline/weights.safetensors \
	  --crops $$(ls -dt $(DATA)/training/car_views-* | head -n 1) --out $(RUNS)/occlusion_net-stacked.safetensors --steps 2500
	$(BIN)/luigi --module tasks Train --model occlusion_net --preset finetune \
	  --init-from $(RUNS)/occlusion_net-stacked.safetensors
	$(BIN)/luigi --module tasks Train --model occlusion_net --preset finetune_baseline \
	  --init-from $(RUNS)/occlusion_net-baseline/weights.safetensors
	$(BIN)/python -m benchmarks.occlusion_net --check --weights $(RUNS)/occlusion_net-finetune/weights.safetensors \
	  --baseline $(RUNS)/occlusion_net-finetune_baseline/weights.safetensors

# Run by run: what is there is not trained again.
reproduce-walt3d: $(TESTING)
	$(BIN)/python -m benchmarks.walt3d_study --data $(DATA) --check $(ARGS)

reproduce-opec-net: $(TESTING)
	$(BIN)/luigi --module tasks Train --model opec_net --preset baseline
	$(BIN)/luigi --module tasks Train --model opec_net --preset tiny \
	  --init-from $(RUNS)/opec_net-baseline/weights.safetensors
	$(BIN)/python -m benchmarks.opec_net --data $(DATA) --check --weights $(RUNS)/opec_net-tiny/weights.safetensors
	$(BIN)/python -m benchmarks.opec_net_study --data $(DATA) --check $(ARGS)

# Run by run, too; the study runs also where a bar of the shipped weights fell.
reproduce-klpnet: $(TESTING)
	$(BIN)/luigi --module tasks Train --model klpnet
	$(BIN)/luigi --module tasks Train --model dpad
	$(BIN)/python -m benchmarks.klpnet_real --data $(DATA) --weights $(RUNS)/klpnet-tiny/weights.safetensors
	fell=0; $(BIN)/python -m benchmarks.klpnet --data $(DATA) --check \
	  --weights $(RUNS)/klpnet-tiny/weights.safetensors || fell=1; \
	$(BIN)/python -m benchmarks.klpnet_study --data $(DATA) --check $(ARGS) || fell=1; exit $$fell

label: $(CORE)
	$(BIN)/luigi --module tasks LabelOcclusion --camera $(CAMERA) $(ARGS)

lint: $(call once,$(TESTING))
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: $(TESTING)
	.ci/browser
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest $(ARGS)

# What fails is shown with a line that brings the example back.
test-random: $(TESTING)
	$(BIN)/python -m pytest -m hypothesis --hypothesis-profile random $(ARGS)

bench: $(TESTING)
	set -e; for name in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$name --check; done

# Those alone whose sections of docs/results.md are older than the code that they depend on.
bench-stale: $(TESTING)
	set -e; for name in $$($(BIN)/python -m benchmarks.results --stale); do $(BIN)/python -m benchmarks.$$name --check || true; done
	$(BIN)/python -m benchmarks.results

schema: $(call once,$(CORE))
	@$(BIN)/python -m pipeline.core.tables

# build/ keeps modules that were moved or removed since, and setuptools would put them into the wheel.
wheel: $(call once,$(CORE))
	rm -rf build
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	rm -rf build

lock: $(call once,$(TESTING))
	.ci/lock $(BIN)/python > .venv/lock
	mv .venv/lock constraints.txt
	touch $(CORE) $(MM) $(TRAINING) $(TESTING)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis *.egg-info build dist benchmarks/out
