# Go and make are all that build, demo and test need. Tools of the checks are built once into
# the user's cache folder, at the versions named here.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tuned-hpo
TOOLS := $(CACHE)/tools

GOFUMPT       := $(TOOLS)/gofumpt@v0.12.0/gofumpt
GOLANGCI_LINT := $(TOOLS)/golangci-lint@v2.15.0/golangci-lint
PROTOC_GO     := $(TOOLS)/protoc-gen-go@v1.36.12/protoc-gen-go
PROTOC_GRPC   := $(TOOLS)/protoc-gen-go-grpc@v1.6.2/protoc-gen-go-grpc
PROTOC_HTTP   := $(TOOLS)/protoc-gen-grpc-gateway@v2.33.0/protoc-gen-grpc-gateway
PROTOC_DOC    := $(TOOLS)/protoc-gen-openapiv2@v2.33.0/protoc-gen-openapiv2

VERSION   := $(or $(shell git describe --tags --always --dirty 2>/dev/null),devel)
# grpcnotrace leaves out gRPC's debug pages, a fifth of the agent.
GO_BUILD  := CGO_ENABLED=0 go build -trimpath -tags grpcnotrace -ldflags '-s -w -X main.version=$(VERSION)'
PROTOCS   := $(PROTOC_GO) $(PROTOC_GRPC) $(PROTOC_HTTP) $(PROTOC_DOC)
PROTOS     = $(shell find api -name '*.proto')
FUZZTIME  ?= 30s
FUZZLEAST ?= 1000
FAULTFLAGS ?=
SEEDS     ?= 300
CYCLES    ?= 20
COUNT     ?= 20
TESTFLAGS ?=
# What starts goroutines of its own. The race detector makes tests several times slower.
RACE ?= ./pkg/tuner ./pkg/server ./pkg/store/... ./pkg/trialrunner/... ./pkg/webhook ./pkg/observe ./pkg/trace ./cmd/trial-agent ./plugins/... ./internal/testenv
# Tests run with -count=1, for the test cache does not see the files outside of the module that they
# read, nor what the processes that they start read.

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: build
build: ## build bin/tuned, bin/trial-agent and bin/digits
	@$(GO_BUILD) -o bin/ ./cmd/tuned ./cmd/trial-agent ./examples/digits

.PHONY: demo
demo: build ## tune a real training program to a printed best trial
	@rm -rf build/demo
	@code=0; bin/tuned run examples/digits/experiment.yaml --data-dir build/demo --seed 1 || code=$$?; \
	[ $$code -eq 0 ] || [ $$code -eq 3 ] || exit $$code # 3: the budget is spent, the goal not reached

.PHONY: test
test: ## run every test that this machine can run, and list what was skipped and why
	@if python=$$(test/python); then export PATH="$$python:$$PATH"; fi; \
	go test -count=1 -timeout 30m -json $(TESTFLAGS) ./... | go run ./test/report

.PHONY: check
check: static test race ## everything that a change must pass

.PHONY: static
static: format vet lint layers generated ## the checks that run no program

.PHONY: format
format: $(GOFUMPT) ## refuse files that gofumpt would change
	@found=$$($(GOFUMPT) -l .); \
	[ -z "$$found" ] || { echo "not formatted, run 'make fmt':"; echo "$$found"; exit 1; }

.PHONY: fmt
fmt: $(GOFUMPT) ## format every file
	@$(GOFUMPT) -w .

.PHONY: vet
vet: ## go vet
	@go vet ./...

.PHONY: lint
lint: $(GOLANGCI_LINT) ## golangci-lint, see .golangci.yml
	@$(GOLANGCI_LINT) run ./...

.PHONY: layers
layers: ## who may import whom, and the rules on files
	@go test -count=1 . # the cache does not see new files

.PHONY: race
race: ## run the tests of what is concurrent with the race detector, without the longest (RACE=./... for all)
	@if python=$$(test/python); then export PATH="$$python:$$PATH"; fi; \
	go test -count=1 -timeout 30m -race -short -json $(TESTFLAGS) $(RACE) | go run ./test/report

.PHONY: stress
stress: ## hunt rare failures: what race runs, COUNT (20) times in each of four copies at once, see test/stress
	@test/stress $(COUNT) $(RACE)

.PHONY: arm64
arm64: ## the bits that are on record, as an arm64 processor computes them (needs qemu-user)
	@test/fused
	@GOARCH=arm64 CGO_ENABLED=0 go test -count=1 -exec qemu-aarch64 -run OnRecord ./algorithms/bayes/... ./algorithms/builtin

.PHONY: gen
gen: $(PROTOCS) ## generate the Go code of api/ (needs protoc)
	@$(call protoc,.)

# The header names the version of protoc, which is the machine's own.
.PHONY: generated
generated: $(PROTOCS) ## refuse generated code that is not what gen writes
	@rm -rf build/_gen && mkdir -p build/_gen
	@$(call protoc,build/_gen)
	@cd build/_gen && find . -name '*.go' -o -name openapi.json | while read -r file; do \
	diff -u -I '^//.*protoc  *v' "../../$$file" "$$file" || { echo "stale, run 'make gen': $$file"; exit 1; }; done

# The gateway and the description of the HTTP API are packages of their own, for agents have no use for HTTP.
protoc = protoc -I . --plugin=$(PROTOC_GO) --plugin=$(PROTOC_GRPC) \
	--go_out=$(1) --go_opt=paths=source_relative --go-grpc_out=$(1) --go-grpc_opt=paths=source_relative $(PROTOS) && \
	mkdir -p $(1)/api/tuned/v1/gateway && protoc -I api/tuned/v1 --plugin=$(PROTOC_HTTP) --grpc-gateway_out=$(1)/api/tuned/v1/gateway \
	--grpc-gateway_opt=paths=source_relative,standalone=true,grpc_api_configuration=api/tuned/v1/http.yaml api/tuned/v1/tuned.proto && \
	mkdir -p build/_swagger $(1)/api/tuned/v1/openapi && protoc -I api/tuned/v1 --plugin=$(PROTOC_DOC) --openapiv2_out=build/_swagger \
	--openapiv2_opt=disable_default_errors=true,openapi_naming_strategy=simple,simple_operation_ids=true,grpc_api_configuration=api/tuned/v1/http.yaml \
	api/tuned/v1/tuned.proto && go run ./api/tuned/v1/openapi/generate build/_swagger/tuned.swagger.json api/tuned/v1/openapi/routes.yaml \
	>$(1)/api/tuned/v1/openapi/openapi.json

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (30s, or 4000x), at least FUZZLEAST (1000) executions beyond its corpus
	@go run ./test/fuzz -time $(FUZZTIME) -least $(FUZZLEAST)

quiet := grep -v '^ *\(=== \|--- PASS\|[a-z]*_test.go:[0-9]*: \(tuned \|cycle \)\)'

.PHONY: faults
faults: ## kills, failpoints, damage, full disks, with figures: ten minutes, see docs/reliability.md
	@go test -count=1 -v -run 'Points|WithoutTag' ./internal/failpoint | $(quiet)
	@go test -count=1 -v ./test/faults -args $(FAULTFLAGS) | $(quiet)
	@go test -count=1 -v ./test/damage | $(quiet)
	@go test -count=1 -v -timeout 30m ./test/kill -args -cycles 200 -histories 50 | $(quiet)

.PHONY: simulate
simulate: ## SEEDS (300) seeds of days full of faults, see docs/reliability.md
	@mkdir -p build && go test -c -tags failpoint -o build/simulate.test ./test/simulate
	@cd test/simulate; run() { ../../build/simulate.test -test.v -test.timeout=0 "$$@" 2>&1 | $(quiet); }; \
	run -test.run=Simulation -seeds $$(($(SEEDS) / 2)) & half=$$!; \
	run -first $$(($(SEEDS) / 2 + 1)) -seeds $$(($(SEEDS) - $(SEEDS) / 2)) || failed=1; \
	wait $$half || failed=1; exit $${failed:-0}

.PHONY: mutants
mutants: ## plant known faults, one at a time, which the simulation must find: ten minutes
	@go test -count=1 -v -timeout 60m ./test/simulate/mutants -args -all | $(quiet)

.PHONY: power
power: ## cut the power of a virtual machine that writes to a store, CYCLES (20) times (needs root once)
	@test/power/run $(CYCLES)

.PHONY: bench-quick
bench-quick: ## optimizers side by side, within ten minutes on two cores, see bench; BENCHFLAGS as there
	@bench/problem/install tables && bench/peers/install optuna
	@go run ./bench run -suite quick,quick/hpotab15-open@8 -peers optuna-gp,optuna-tpe,optuna-tpe-group -out build/bench-quick $(BENCHFLAGS)

.PHONY: bench
bench: ## optimizers side by side, the full suites, all peers and all figures: hours
	@bench/problem/install && bench/peers/install
	@go run ./bench run -suite full,full/bbob24-d5@8,full/hpotab15-open@8 -ours bayesianoptimization,auto,tpe,cmaes,nsga2 -peers installed $(BENCHFLAGS)
	@go run ./bench run -suite long -ours auto,gp,tpe,cmaes,nsga2 -peers none -out build/bench-long $(BENCHFLAGS)
	@go run ./bench termination
	@go run ./bench run -suite fronts -ours nsga2,nsga3 -peers optuna-nsga2,optuna-nsga3,pymoo-nsga2,pymoo-nsga3 -baseline pymoo-nsga2 -out build/bench-fronts $(BENCHFLAGS)
	@go run ./bench latency
	@go run ./bench run -suite evolution,evolution-claim -ours cmaes -peers optuna-cmaes,cma-pycma -out build/bench-cmaes
	@go run ./bench latency -ours cmaes -peers optuna-cmaes,cma-pycma -study none -study-peers none -d 100 -n 0,1000 -pending 0 -out build/bench-cmaes
	@go run ./bench fidelity -suite fidelity@4,fidelity@16,fidelity-claim@4,fidelity-claim@16
	@go run ./bench goals build/bench build/bench-long build/bench-fronts build/bench-cmaes

.PHONY: bench-latency
bench-latency: ## what a suggestion takes, and memory; BENCHFLAGS as in bench
	@go run ./bench latency $(BENCHFLAGS)

.PHONY: bench-engine
bench-engine: ## measure the daemon from outside, see bench/engine; BENCHFLAGS as there
	@go run ./bench/engine $(BENCHFLAGS)

.PHONY: bench-python
bench-python: build ## what the Python client costs a program, with a daemon that is killed too; BENCHFLAGS as in bench/python
	@python3 bench/python/measure.py $(BENCHFLAGS)

.PHONY: clean
clean: ## remove what was built here; the tools stay in the cache
	@rm -rf bin build

$(GOFUMPT):       module := mvdan.cc/gofumpt
$(GOLANGCI_LINT): module := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(PROTOC_GO):     module := google.golang.org/protobuf/cmd/protoc-gen-go
$(PROTOC_GRPC):   module := google.golang.org/grpc/cmd/protoc-gen-go-grpc
$(PROTOC_HTTP):   module := github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway
$(PROTOC_DOC):    module := github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv2

# A tool's folder is named <tool>@<version>.
$(GOFUMPT) $(GOLANGCI_LINT) $(PROTOCS):
	@echo "building $(notdir $(@D))"
	@CGO_ENABLED=0 GOBIN=$(@D) go install $(module)@$(lastword $(subst @, ,$(notdir $(@D))))
