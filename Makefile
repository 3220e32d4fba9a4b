# lockkeeper: everything that is done with this repository. `make` lists it.

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS   += --no-print-directory

GO       ?= go
PKGS     ?= ./...
BIN      := $(CURDIR)/bin
TOOLS    := $(CURDIR)/.tools
FUZZTIME ?= 60s
BENCH    ?= .
BENCHED  ?= $(BIN)/bench.txt
FUZZ     ?= .
DEMO     ?=
TORTURE  ?=

# The modules beside the main one.
MODULES := $(dir $(wildcard backends/*/go.mod contrib/*/go.mod cmd/lockkeeper/*/go.mod internal/*/go.mod))

# Tools are pinned by version and built into .tools; a changed version builds anew.
GOLANGCI_VERSION    := v2.15.0
GOVULNCHECK_VERSION := v1.9.0
BENCHSTAT_VERSION   := v0.0.0-20260908200009-22c9c6c9d4da
GOLANGCI    := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)
GOVULNCHECK := $(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION)

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' Makefile

.PHONY: demo
demo: build ## the main job, live: 4 processes contend, one is killed; DEMO='--store redis://…' for flags
	$(BIN)/lockkeeper demo $(DEMO)

.PHONY: demo-svg
demo-svg: build ## record the demo anew for the README: docs/img/demo.svg
	scripts/demo-svg.sh docs/img/demo.svg

.PHONY: build
build: ## build bin/lockkeeper
	@GO=$(GO) scripts/build.sh -trimpath -o $(BIN)/lockkeeper ./cmd/lockkeeper

.PHONY: install
install: ## install the lockkeeper command into GOBIN
	$(GO) install -trimpath ./cmd/lockkeeper

.PHONY: packaging
packaging: build ## what packagers install beside the command: bin/lockkeeper.1, bin/completions
	@mkdir -p $(BIN)/completions
	$(BIN)/lockkeeper man > $(BIN)/lockkeeper.1
	$(BIN)/lockkeeper completion bash > $(BIN)/completions/lockkeeper
	$(BIN)/lockkeeper completion zsh > $(BIN)/completions/_lockkeeper
	$(BIN)/lockkeeper completion fish > $(BIN)/completions/lockkeeper.fish

.PHONY: test
test: redis-server postgres ## all tests, race detector on, against real servers of Redis and PostgreSQL (installed if missing)
	CI=true $(GO) test -race -timeout 20m $(PKGS)
	$(if $(filter ./...,$(PKGS)),cd cmd/lockkeeper-vet && $(GO) test -timeout 20m ./...)
	$(if $(filter ./...,$(PKGS)),$(MAKE) contrib)

.PHONY: contrib
contrib: redis-server postgres ## the tests of the modules beside the main one, two at a time (one mostly waits), without the race detector
	@printf '%s\n' $(MODULES) | CI=true xargs -P 2 -I DIR sh -c 'echo "in DIR" && cd DIR && exec $(GO) test -timeout 8m ./...'
	cd internal/site && $(GO) test -count=1 ./... # the cache of tests does not see files outside of a module

.PHONY: full
full: ## tests in full size, without the race detector: a million waiters (4 GB), allocations, 100 000 grants of processes being killed
	CI=true $(GO) test -timeout 10m -skip 'TestMutants|TestTheSuiteOf|TestGoVet' ./actor ./primitives
	LOCKKEEPER_LONG=1 $(GO) test -timeout 10m -run TestHistoryWithKills ./backends/file

.PHONY: race
race: redis-server postgres ## only the tests that look for races, ten times each: make race PKGS=./primitives
	CI=true $(GO) test -race -short -count=10 -timeout 20m $(PKGS)

.PHONY: long
long: redis-server postgres ## the tests that take minutes in full size: 500 processes at once, a million uses of a name, all seeded bugs
	LOCKKEEPER_LONG=1 $(GO) test -v -timeout 20m -run "TestManyProcessesAtOnce|TestVeryManyNames" ./backends/file
	LOCKKEEPER_LONG=1 $(GO) test -v -timeout 20m -run "TestNobodyWaitsForEver|TestExamination|TestDeadlocksAreTold|TestEachTick" ./manager
	cd backends/postgres && LOCKKEEPER_LONG=1 $(GO) test -v -timeout 60m -run "TestContract|TestVeryMany|TestManyWaiters|TestVacuum|TestHistory" .
	LOCKKEEPER_LONG=1 $(GO) test -v -timeout 40m -run TestMutants ./internal/torture

.PHONY: torture
torture: redis-server ## break things while processes use locks, and check every history: TORTURE='-duration 10m -seed 7' for flags
	@mkdir -p $(BIN)
	$(GO) build -o $(BIN)/torture ./internal/torture/cmd/torture
	$(BIN)/torture $(TORTURE)

.PHONY: torture-all
torture-all: redis-server postgres ## the same over files, Redis (single, Sentinel, cluster) and PostgreSQL
	@mkdir -p $(BIN)
	cd backends/postgres && $(GO) build -o $(BIN)/torture-all ./internal/torture
	$(BIN)/torture-all -store all $(TORTURE)

.PHONY: torture-docs
torture-docs: ## torture all stores for half an hour, and write the figures of docs/torture.md with its pictures
	$(MAKE) torture-all TORTURE='-duration 30m -report $(BIN)/torture.json $(TORTURE)'
	cd bench && $(GO) run ./cmd/torturepage -page ../docs/torture.md -plots ../docs/img $(BIN)/torture.json

.PHONY: cover
cover: redis-server postgres ## coverage of all packages by all tests: coverage.txt, coverage.html
	CI=true $(GO) test -coverpkg=./... -coverprofile=coverage.txt -timeout 10m $(PKGS)
	$(GO) tool cover -html=coverage.txt -o coverage.html
	@$(GO) tool cover -func=coverage.txt | tail -n 1

.PHONY: bench
bench: redis-server postgres etcd ## measure against the peers: a table of ratios beside their targets (bench/)
	cd bench && $(GO) run ./cmd/lkbench

.PHONY: bench-docs
bench-docs: redis-server postgres etcd ## measure everything, and write docs/benchmarks.md with its pictures; the rounds go to BENCHED (bin/bench.txt)
	@mkdir -p $(BIN)
	cd bench && $(GO) run ./cmd/lkbench -md ../docs/benchmarks.md -plots ../docs/img -gobench $(abspath $(BENCHED))

.PHONY: bench-compare
bench-compare: ## what differs between two runs of bench-docs: make bench-compare OLD=old.txt NEW=new.txt
	$(GO) run golang.org/x/perf/cmd/benchstat@$(BENCHSTAT_VERSION) $(OLD) $(NEW)

.PHONY: faults
faults: redis-server postgres etcd ## cut off, stop and kill holders, restart servers, cancel acquires: ours beside the peers
	cd bench && $(GO) run ./cmd/lkbench -suite faults

.PHONY: bench-once
bench-once: redis-server postgres etcd ## run every benchmark once, and the suite in short, so that they stay alive
	CI=true $(GO) test -run '^$$' -bench $(BENCH) -benchtime 1x -timeout 5m ./...
	cd bench && $(GO) vet ./... && CI=true $(GO) test -timeout 8m ./...
	$(call in-contrib,$(GO) test -run '^$$' -bench $(BENCH) -benchtime 1x -timeout 5m ./...)

.PHONY: site
site: ## make a web site of the README, docs/ and the READMEs of packages: site/index.html; fails on a dead link
	cd internal/site && $(GO) run . -root ../.. -out $(CURDIR)/site

.PHONY: fuzz
fuzz: redis-server postgres ## run every fuzz test for FUZZTIME (60s), or those that FUZZ names, as FUZZ=backends/redis
	@CI=true FUZZTIME=$(FUZZTIME) FUZZ='$(FUZZ)' $(if $(FUZZWORKERS),FUZZWORKERS=$(FUZZWORKERS)) GO=$(GO) scripts/fuzz.sh

.PHONY: fuzz-once
fuzz-once: ## run every fuzz test for two seconds, one worker: what CI has time for beside the corpora, which all tests run
	@$(MAKE) fuzz FUZZTIME=2s FUZZWORKERS=1

.PHONY: corpus
corpus: ## put a part of what fuzz has found interesting into testdata/fuzz, to be committed: all tests run it
	@GO=$(GO) scripts/corpus.sh

.PHONY: model
model: ## check the models of the gate and of several names, and that each seeded mutant is caught (needs spin); LOCKKEEPER_LONG=1: the longest, too
	@scripts/model.sh

.PHONY: lint
lint: $(GOLANGCI) ## go vet, lockkeeper-vet, golangci-lint, the rules of the house, the build for other systems
	$(GO) vet ./...
	cd cmd/lockkeeper-vet && $(GO) vet ./... && $(GO) build -trimpath -o $(TOOLS)/lockkeeper-vet .
	$(GO) vet -vettool=$(TOOLS)/lockkeeper-vet ./...
	cd bench && $(GO) vet -vettool=$(TOOLS)/lockkeeper-vet ./...
	$(GOLANGCI) run ./...
	$(call in-contrib,$(GO) vet -vettool=$(TOOLS)/lockkeeper-vet ./... && $(GO) vet ./...)
	GO=$(GO) scripts/rules.sh
	GO=$(GO) scripts/cross.sh

.PHONY: lint-contrib
lint-contrib: $(GOLANGCI) ## golangci-lint over the modules beside the main one, whose dependencies take it minutes
	$(call in-contrib,$(GOLANGCI) run ./...)

.PHONY: fmt
fmt: $(GOLANGCI) ## format the sources, imports in three groups
	$(GOLANGCI) fmt ./...

.PHONY: vuln
vuln: $(GOVULNCHECK) ## known vulnerabilities in what we depend on (needs the vulnerability database)
	$(GOVULNCHECK) ./...

.PHONY: ci
ci: ## what the CI server does: .ci/run
	bash .ci/run

.PHONY: nightly
nightly: ## what the CI server does every night, for two hours: .ci/nightly
	bash .ci/nightly

.PHONY: release
release: ## try a release in a temporary clone: make release VERSION=v1.2.3; with PUBLISH=yes make its commit and tags here
	@GO=$(GO) scripts/release.sh $(VERSION)

.PHONY: tools
tools: $(GOLANGCI) $(GOVULNCHECK) ## build the pinned tools into .tools

.PHONY: redis-server
redis-server:
	@scripts/need.sh redis-server

.PHONY: postgres
postgres:
	@scripts/need.sh postgres pgbouncer

.PHONY: etcd
etcd:
	@scripts/need.sh etcd

.PHONY: clean
clean: ## remove what was built here
	rm -rf $(BIN) $(TOOLS) site coverage.txt coverage.html

$(GOLANGCI):
	$(call tool,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION))

$(GOVULNCHECK):
	$(call tool,golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION))

# in-contrib runs $(1) in each module beside the main one.
in-contrib = @for dir in $(MODULES); do echo "in $$dir" && (cd $$dir && $(1)) || exit 1; done

# tool builds $(1) under the name of the target, in a folder of its own so that a broken build leaves nothing.
define tool
	@echo "building $(notdir $@) (once; a few minutes)"
	@mkdir -p $(TOOLS)/build
	@GOBIN=$(TOOLS)/build GOFLAGS= $(GO) install $(1)
	@mv $(TOOLS)/build/* $@
	@rmdir $(TOOLS)/build
endef
