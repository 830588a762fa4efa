# Everything works from a plain copy of the tree, as root or not, and keeps
# every variable that the environment sets. `make` alone lists the commands.

.DEFAULT_GOAL := help
.PHONY: help up demo crashlab simulate fleet upgradelab bench images test lint generate verify tools fuzz ci need-go

GO_AT_LEAST := 1.26

# One process each: the five services, the edge, and the development stand-ins.
PROGRAMS := \
	./deploy/cmd/makegood \
	./deploy/cmd/stripesim \
	./deploy/cmd/inbox \
	./services/orders/cmd/orders \
	./services/payments/cmd/payments \
	./services/provisioning/cmd/provisioning \
	./services/notifications/cmd/notifications \
	./services/reconciliation/cmd/reconciliation \
	./gateway/cmd/gateway

# The state folder, in a recipe: dir=$(STATE).
STATE := "$${MAKEGOOD_DIR:-.makegood}"

# Without version stamps, a tree owned by somebody else or without .git builds too.
BUILD := go build -buildvcs=false

help:
	@echo "make up     run the whole product in the foreground until Ctrl-C"
	@echo "make demo   see a payment survive a crash, in half a minute"
	@echo "make crashlab"
	@echo "            kill and break the product wherever it writes, and judge whether anybody lost, four minutes"
	@echo "            (FULL=1 every fault at every point and the default settings, SEED=n as before, ONLY=purchase one path,"
	@echo "            PART=2/8 the second eighth of the faults)"
	@echo "make fleet  run three of everything, kill, stop and cut them off under load, and judge whether anybody lost, six minutes"
	@echo "            (MINUTES=5 of faults, SEED=n the same faults again)"
	@echo "make upgradelab"
	@echo "            upgrade from the baseline and roll back among customers, and judge whether anybody lost (SEED=n as before)"
	@echo "make simulate"
	@echo "            play 1000 random histories with every kind of fault, each judged, some minutes"
	@echo "            (N=10000 more, SEED=17 exactly that one again, SEED=5000 N=1000 others)"
	@echo "make bench  measure webhooks, reconciling and purchases beside what this machine could do, six minutes"
	@echo "            (FULL=1 longer and with a million of each, PEER=1 beside another implementation, PART=webhooks, reconciling or checkout,"
	@echo "            HISTORY=500000 so many purchases behind the sweeps, where the disk has no room for a million)"
	@echo "make images make the container images in a folder, without a container engine and without a registry"
	@echo "            (VERSION=1.2.3 their tag, PLATFORMS=linux/amd64 instead of that and arm64)"
	@echo "make test   run every test (GOTESTFLAGS=-race, GOTESTFLAGS='-run Name', ...)"
	@echo "make fuzz   try new inputs on what reads what comes from outside (INPUTS=100000 for each)"
	@echo "make lint, make verify, make generate"
	@echo "            check the code; check, or write, what is generated from it"
	@echo "make ci     what the CI runs"

up: need-go
	@dir=$(STATE); mkdir -p "$$dir/bin" || { echo "cannot write $$dir: set MAKEGOOD_DIR to a folder of yours" >&2; exit 1; }; \
	echo "building the programs into $$dir/bin (about two minutes the first time, seconds later)"; \
	$(BUILD) -o "$$dir/bin/" $(PROGRAMS) && exec "$$dir/bin/makegood" up

# Beside a running make up: it has ports and data of its own.
demo: need-go
	@dir=$(STATE); mkdir -p "$$dir/bin" || { echo "cannot write $$dir: set MAKEGOOD_DIR to a folder of yours" >&2; exit 1; }; \
	echo "building the programs into $$dir/bin (about two minutes the first time, seconds later)"; \
	$(BUILD) -o "$$dir/bin/" $(PROGRAMS) && exec "$$dir/bin/makegood" demo

# Beside a running make up, too.
crashlab: need-go
	@dir=$(STATE); mkdir -p "$$dir/bin" || { echo "cannot write $$dir: set MAKEGOOD_DIR to a folder of yours" >&2; exit 1; }; \
	echo "building the programs into $$dir/bin (about two minutes the first time, seconds later)"; \
	$(BUILD) -o "$$dir/bin/" $(PROGRAMS) && FULL="$(FULL)" SEED="$(SEED)" ONLY="$(ONLY)" PART="$(PART)" exec "$$dir/bin/makegood" crashlab

# Beside a running make up, too.
fleet: need-go
	@dir=$(STATE); mkdir -p "$$dir/bin" || { echo "cannot write $$dir: set MAKEGOOD_DIR to a folder of yours" >&2; exit 1; }; \
	echo "building the programs into $$dir/bin (about two minutes the first time, seconds later)"; \
	$(BUILD) -o "$$dir/bin/" $(PROGRAMS) && MINUTES="$(MINUTES)" SEED="$(SEED)" exec "$$dir/bin/makegood" fleet

# Beside a running make up, too. The baseline is built from the history, once.
upgradelab: need-go
	@dir=$(STATE); mkdir -p "$$dir/bin" || { echo "cannot write $$dir: set MAKEGOOD_DIR to a folder of yours" >&2; exit 1; }; \
	echo "building the programs into $$dir/bin (about two minutes the first time, seconds later)"; \
	$(BUILD) -o "$$dir/bin/" $(PROGRAMS) && SEED="$(SEED)" exec "$$dir/bin/makegood" upgradelab
# A seed alone is one history; -test.v tells what happened in it.
simulate: need-go
	@dir=$(STATE); mkdir -p "$$dir/bin" || { echo "cannot write $$dir: set MAKEGOOD_DIR to a folder of yours" >&2; exit 1; }; \
	echo "building the simulation into $$dir/bin"; n="$(N)"; verbose=; \
	if [ -n "$(SEED)" ] && [ -z "$$n" ]; then n=1; verbose=-test.v; fi; \
	go test -c -buildvcs=false -o "$$dir/bin/simulate" ./deploy/internal/simulation && \
	SIM_SEED="$(SEED)" SIM_N="$${n:-1000}" exec "$$dir/bin/simulate" -test.run '^TestHistories$$' -test.timeout 0 $$verbose

# For people, on a machine that does nothing else: no test depends on a figure.
bench: need-go
	@dir=$(STATE); mkdir -p "$$dir/bin" || { echo "cannot write $$dir: set MAKEGOOD_DIR to a folder of yours" >&2; exit 1; }; \
	echo "building the programs into $$dir/bin (about two minutes the first time, seconds later)"; \
	$(BUILD) -o "$$dir/bin/" $(PROGRAMS) && FULL="$(FULL)" PEER="$(PEER)" PART="$(PART)" HISTORY="$(HISTORY)" exec "$$dir/bin/makegood" bench

images: need-go
	@dir=$(STATE); mkdir -p "$$dir/bin" || { echo "cannot write $$dir: set MAKEGOOD_DIR to a folder of yours" >&2; exit 1; }; \
	$(BUILD) -o "$$dir/bin/" ./deploy/cmd/images && \
	echo "building the programs and their images into $$dir/images (some minutes the first time)" && \
	exec "$$dir/bin/images" -dir "$$dir/images" -version "$(VERSION)" $(if $(PLATFORMS),-platforms "$(PLATFORMS)")

test: need-go
	@dir=$(STATE); mkdir -p "$$dir/bin" || { echo "cannot write $$dir: set MAKEGOOD_DIR to a folder of yours" >&2; exit 1; }; \
	echo "preparing what the tests need"; \
	$(BUILD) -o "$$dir/bin/" ./deploy/cmd/makegood && "$$dir/bin/makegood" setup && \
	echo "running the tests of every module (the first time compiles for some minutes)" && \
	go test -timeout 20m $(GOTESTFLAGS) work

# Of these only the first time takes minutes: it builds the tools into .tools/.
lint: tools
	@./.ci/lint

generate: tools
	@./.ci/generate

verify: tools
	@./.ci/verify

tools: need-go
	@./.ci/tools

fuzz: need-go
	@INPUTS="$${INPUTS:-$(INPUTS)}" ./.ci/fuzz

ci:
	@./.ci/run

need-go:
	@command -v go >/dev/null || { \
		echo "Go is missing: install Go $(GO_AT_LEAST) or newer from https://go.dev/dl/ and have its bin folder in PATH" >&2; exit 1; }
	@have=$$(go env GOVERSION 2>/dev/null); [ -n "$$have" ] || have=$$(go version | cut -d' ' -f3); have=$${have#go}; \
	oldest=$$(printf '%s\n' "$(GO_AT_LEAST)" "$$have" | sort -V | head -n 1); \
	[ "$$oldest" = "$(GO_AT_LEAST)" ] || { \
		echo "Go $$have is too old: install Go $(GO_AT_LEAST) or newer from https://go.dev/dl/, or unset GOTOOLCHAIN so that go fetches it" >&2; exit 1; }
