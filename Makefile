# The commands that people and CI type. `make` alone lists them.
#
# Everything lives in .venv (newest packages) and .venv-classic (TensorFlow, onnx2tf, the old runtime). Stamp files in them
# say what is installed, so a second call installs nothing. PYTHON picks the interpreter: make test PYTHON=python3.12.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
# The pins of the classic environment hold on this version only.
PYTHON_CLASSIC ?= $(or $(shell command -v python3.11),$(PYTHON))
PYTEST_ARGS ?=

BIN := .venv/bin
CLASSIC_BIN := .venv-classic/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraints constraints/core.txt
INSTALL_CLASSIC := $(BIN)/uv pip install --quiet --python $(CLASSIC_BIN)/python --constraints constraints/classic.txt
NATIVE_SOURCES := setup.py $(shell find cpp/include cpp/src cpp/bindings cpp/sources.txt -type f 2>/dev/null)

export PIP_DISABLE_PIP_VERSION_CHECK := 1

##@ Use

.PHONY: demo
demo: .venv/.project ## MobileNetV2 from PyTorch to a verified int8 file, timed from camera to screen, with a report
	$(BIN)/python examples/demo.py

.PHONY: install
install: .venv/.project ## What the demo needs: .venv with mobilekit, its extension, photos and weights

.PHONY: apk
apk: .venv/.project ## The Android demo: android_demo/build/mobilekit-demo.apk (needs Java 17, Maven, clang and lld)
	$(BIN)/python android_demo/build.py

##@ Check

TEST_STEPS := install-dev lint types docs test-cpp test-arm classic test-python test-reference test-classic

.PHONY: test
test: ## Everything that CI runs, from nothing
	$(call run_steps,$(TEST_STEPS))

.PHONY: test-all
test-all: ## The same, the Android app, and the slow tests (those of the app would skip without it)
	$(call run_steps,$(TEST_STEPS) apk test-slow)

.PHONY: install-dev
install-dev: .venv/.project .venv/.dev

.PHONY: lint
lint: .venv/.dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: .venv/.dev .venv/.deps ## mypy, strict
	$(BIN)/mypy

.PHONY: docs
docs: .venv/.dev ## Build docs/ into site/; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

.PHONY: test-cpp
test-cpp: cpp-tools ## Build the kernels with CMake, run their googletests, and again under the sanitizers
	cmake -S cpp -B build/cpp -G Ninja -DCMAKE_BUILD_TYPE=Release
	cmake --build build/cpp --parallel 2
	ctest --test-dir build/cpp --output-on-failure --no-tests=error
	cmake -S cpp -B build/cpp-sanitized -G Ninja -DCMAKE_BUILD_TYPE=Release -DMOBILEKIT_SANITIZE=address,undefined
	cmake --build build/cpp-sanitized --parallel 2
	ctest --test-dir build/cpp-sanitized --output-on-failure --no-tests=error

.PHONY: test-arm
test-arm: arm-tools ## Build the kernels for 64-bit Arm and run their googletests under qemu
	cmake -S cpp -B build/cpp-arm -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_TOOLCHAIN_FILE=$(CURDIR)/cpp/aarch64-linux.cmake
	cmake --build build/cpp-arm --parallel 2
	ctest --test-dir build/cpp-arm --output-on-failure --no-tests=error

.PHONY: test-python
test-python: install-dev report-tools ## All fast Python tests, on the native kernels
	MOBILEKIT_SARIF_SCHEMA=$(CURDIR)/.venv/sarif-2.1.0.json $(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

.PHONY: test-reference
test-reference: install-dev ## The kernels' tests once more on the NumPy reference
	MOBILEKIT_KERNELS=reference $(BIN)/python -m pytest -m "not slow" tests/kernels $(PYTEST_ARGS)

.PHONY: test-classic
test-classic: classic ## The file format's tests on the oldest packages that are supported, with the old runtime
	MOBILEKIT_RUNTIME=tflite-runtime $(CLASSIC_BIN)/python -m pytest -m "not slow" tests/graph tests/test_runtime.py $(PYTEST_ARGS)

.PHONY: test-slow
test-slow: install-dev
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

##@ Work on it

.PHONY: format
format: .venv/.dev ## Let ruff format and mend what it can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: classic
classic: .venv-classic/.project ## .venv-classic: TensorFlow, onnx2tf and the old runtime, for comparisons

.PHONY: lock
lock: .venv/.made ## Resolve the newest packages again into constraints/*.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.10 --no-header --no-annotate \
	  --extra dev --extra onnx --extra report --extra vision pyproject.toml constraints/core.in -o constraints/core.txt
	$(BIN)/uv pip compile --quiet --upgrade --python-version 3.11 --no-header --no-annotate \
	  --extra classic pyproject.toml constraints/classic.in -o constraints/classic.txt

.PHONY: clean
clean: ## Remove build outputs and caches; the environments stay
	rm -rf build dist site out *.egg-info mobilekit/*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find mobilekit tests benchmarks examples tools -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f .venv/.project .venv-classic/.project

.PHONY: distclean
distclean: clean ## Remove the environments as well
	rm -rf .venv .venv-classic

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# --- Environments. Each stamp stands for one install, and is newer than all that it was made from.

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and f"mobilekit needs Python 3.10 or newer, $(PYTHON) is {sys.version.split()[0]}: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints/core.txt uv
	touch $@

.venv/.deps: .venv/.made pyproject.toml constraints/core.txt constraints/data.txt
	$(INSTALL) --requirement pyproject.toml --extra report --extra vision scikit-image setuptools pybind11
	$(INSTALL) --no-deps --requirement constraints/data.txt
	touch $@

.venv/.dev: .venv/.made pyproject.toml constraints/core.txt
	$(INSTALL) --requirement pyproject.toml --extra dev --extra onnx
	touch $@

# Editable, so that only a change of the C++ sources installs again.
.venv/.project: .venv/.deps $(NATIVE_SOURCES) | compiler
	MOBILEKIT_REQUIRE_NATIVE=1 $(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

.venv-classic/.project: .venv/.made pyproject.toml constraints/classic.txt $(NATIVE_SOURCES) | compiler
	@$(PYTHON_CLASSIC) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "the classic environment needs Python 3.11: make classic PYTHON_CLASSIC=/path/to/python3.11")'
	[ -x $(CLASSIC_BIN)/python ] || $(PYTHON_CLASSIC) -m venv .venv-classic
	$(INSTALL_CLASSIC) --requirement pyproject.toml --extra classic --requirement constraints/classic.in
	MOBILEKIT_REQUIRE_NATIVE=1 $(INSTALL_CLASSIC) --no-deps --no-build-isolation --editable .
	touch $@

# --- What must come from the system.

.PHONY: compiler
compiler:
	@command -v $(CXX) > /dev/null || { echo "no C++ compiler: install g++ or clang++, or set CXX"; exit 1; }

.PHONY: cpp-tools
cpp-tools: compiler
	$(call need,cmake ninja,/usr/include/gtest/gtest.h,cmake ninja-build libgtest-dev)

.PHONY: arm-tools
arm-tools: cpp-tools
	$(call need,aarch64-linux-gnu-g++ qemu-aarch64-static,/usr/src/googletest/CMakeLists.txt,g++-aarch64-linux-gnu qemu-user-static libgtest-dev)

# A browser that opens the HTML reports, and the schema of SARIF, which only the official validator's package carries.
.PHONY: report-tools
report-tools: .venv/sarif-2.1.0.json
	$(call need,chromium,/usr/bin/chromium,chromium)

.venv/sarif-2.1.0.json: .venv/.made
	$(call need,npm,/,npm)
	npm pack --silent --pack-destination .venv @microsoft/sarif-multitool-linux@5.7.0 > /dev/null
	tar -xzOf .venv/microsoft-sarif-multitool-linux-5.7.0.tgz package/sarif-2.1.0.json > $@
	rm .venv/microsoft-sarif-multitool-linux-5.7.0.tgz

# $(call need,COMMANDS,FILE,PACKAGES): all of these, or Debian's packages with them installed where we may, or an error.
define need
@if ! { type $(1) && [ -e $(2) ]; } > /dev/null 2>&1; then \
  if [ "$$(id -u)" = 0 ] && type apt-get > /dev/null 2>&1; then \
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes $(3) > /dev/null; \
  else echo "needs $(1) and $(2) (Debian: apt-get install $(3))"; exit 1; fi; fi
endef

# $(call run_steps,STEPS): make each one, stop at the first that fails, and say how long each took.
define run_steps
@began_all=$$SECONDS; table=""; \
for step in $(1); do \
  began=$$SECONDS; printf '\n=== make %s\n' "$$step"; \
  $(MAKE) "$$step" || { printf '\n=== make %s failed after %d s\n' "$$step" $$((SECONDS - began)); exit 1; }; \
  table+=$$(printf '%6d s  %s' $$((SECONDS - began)) "$$step")$$'\n'; \
done; \
printf '\n%s%6d s  in all\n' "$$table" $$((SECONDS - began_all))
endef
