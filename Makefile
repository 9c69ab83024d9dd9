# Everything a contributor runs. `make` alone lists the targets.

GO          ?= go
BIN         := redis-inmemory-replica
PKG         := github.com/raniellyferreira/redis-inmemory-replica
PORT        ?= 6380
MASTER      ?=
ARGS        ?=
FUZZTIME    ?= 10s
RUNS        ?= 3
SOAK        ?= 5m
REF         ?= HEAD
BENCH       ?=
# Packages in which more than one goroutine lives: the race detector has something to find there.
RACE_PKGS   := ./eventloop/... ./internal/httpapi/... ./internal/logging/... ./redisreplica/... ./internal/masterlink/... ./tests/replication/...
# Packages whose structures check themselves under -tags invariants, and the black-box suites over a binary built so.
CHECK_PKGS  := ./dict/... ./expire/... ./rdb/... ./internal/... ./commands/... ./tests/differential/... ./tests/replication/...

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z-]*:.*## / {printf "  \033[1m%-15s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## the binary, at ./redis-inmemory-replica
	$(GO) build -o $(BIN) .

.PHONY: run
run: build ## a replica on PORT=6380 of MASTER=host:port; without, of a master with a live workload that comes with it (ARGS="--directive value")
ifeq ($(MASTER),)
	./$(BIN) --demo --port $(PORT) $(ARGS)
else
	./$(BIN) --port $(PORT) --replicaof $(subst :, ,$(MASTER)) $(ARGS)
endif

.PHONY: deps
deps: ## what the tests need (redis-server 7, redis-sentinel, client libraries, an exporter, a headless Chromium)
	@scripts/install-test-deps.sh

.PHONY: test
# -count 1: the black-box suites build the server themselves, so the cache of test results would not see it change.
test: deps lint ## all that the gate runs: lint, unit, differential and replication tests, race detector, invariants
	$(GO) test -count 1 -timeout 8m ./...
	cd tests/clients && $(GO) test -count 1 -timeout 4m ./...
	@scripts/crossbuild.sh -quick
	$(GO) test -count 1 -timeout 6m -short -race $(call existing,$(RACE_PKGS))
	$(GO) test -count 1 -timeout 6m -short -tags invariants $(call existing,$(CHECK_PKGS))

.PHONY: test-short
test-short: ## the same tests at their smallest sizes, without race detector and invariants
	$(GO) test -count 1 -short -timeout 5m ./...

.PHONY: race
race: deps ## every test under the race detector
	$(GO) test -timeout 20m -race ./...

.PHONY: invariants
invariants: deps ## every test with the structures checking themselves at each access
	$(GO) test -timeout 20m -tags invariants ./...

.PHONY: lint
lint: ## gofmt, go vet, staticcheck, and the rules of the house (floors, forbidden imports)
	@scripts/check-fmt.sh
	$(GO) vet ./...
	$(GO) vet -tags invariants ./...
	cd tests/clients && $(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -count 1 ./internal/lint

.PHONY: fmt
fmt: ## gofmt -w on the tree
	gofmt -w $$(git ls-files --cached --others --exclude-standard '*.go')

.PHONY: fuzz
fuzz: ## every fuzzer in turn for FUZZTIME=10s each (FUZZ=name picks one)
	@scripts/fuzz.sh $(FUZZTIME) $(FUZZ)

.PHONY: diff
diff: deps ## replies compared byte for byte with redis-server (ARGS="-seed 7 -steps 100000")
	$(GO) test -count 1 -timeout 20m ./tests/differential $(if $(ARGS),-args $(ARGS))

.PHONY: repl
repl: deps ## a real master, cut links, bad masters; DEBUG DIGEST must agree
	$(GO) test -count 1 -timeout 20m ./tests/replication $(if $(ARGS),-args $(ARGS))

.PHONY: soak
soak: deps ## good clients among bad ones for SOAK=5m: latency, memory, descriptors, goroutines
	$(GO) test -count 1 -v -timeout 30m ./tests/soak -args -for $(SOAK)

.PHONY: clients
clients: deps ## redis-cli, redis-benchmark, client libraries and the Prometheus exporter, as people use them
	cd tests/clients && $(GO) test -count 1 -timeout 10m ./... $(if $(ARGS),-args $(ARGS))

.PHONY: bench
bench: deps ## ours against redis-server: a table of ratios (RUNS=3, BENCH="-only sync -quick")
	$(GO) run ./benchmarks -runs $(RUNS) $(BENCH)

.PHONY: bench-compare
bench-compare: deps ## the same table for this tree against another commit: REF=main
	@scripts/bench-compare.sh $(REF) -runs $(RUNS) $(BENCH)

.PHONY: docs
docs: deps ## what is generated: docs/configuration.md, deploy/redis.conf, the pictures of the status page; then the test of every command line
	$(GO) generate ./internal/config
	$(GO) test -count 1 ./tests/ops -run StatusPage -args -screenshots $(CURDIR)/docs
	$(GO) test -count 1 ./tests/docs

.PHONY: crossbuild
crossbuild: ## build and vet for Linux, macOS and Windows, without cgo (TARGETS="darwin/arm64" picks)
	@scripts/crossbuild.sh $(TARGETS)

.PHONY: release
release: ## archives for Linux, macOS and Windows with checksums, in dist/ (VERSION=1.2.3, TARGETS="linux/arm64")
	@scripts/release.sh "$(VERSION)" $(TARGETS)

.PHONY: security-audit
security-audit: ## known vulnerabilities, module checksums, static analysis, secrets in the tree (STRICT=1: no database is an error)
	@scripts/security-audit.sh

.PHONY: gobench
gobench: ## the Go micro-benchmarks beside the code
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: coverage
coverage: deps ## coverage.out and a line a package
	$(GO) test -short -timeout 10m -coverprofile coverage.out -coverpkg ./... ./...
	$(GO) tool cover -func coverage.out | tail -n 1

.PHONY: profile
profile: deps ## CPU profile of our server under a measure of the benchmarks (PROFILE="-only stream"), in .bench/profile
	$(GO) run ./benchmarks -runs 1 -profile .bench/profile $(if $(PROFILE),$(PROFILE),-only cpu-get-p16)
	$(GO) tool pprof -top -nodecount 40 .bench/profile/*.prof

.PHONY: examples
examples: ## every example of the library, run and looked at (examples/)
	$(GO) test -count 1 -v ./examples

.PHONY: clean
clean: ## what the targets above left behind
	rm -rf $(BIN) bin dist .bench coverage.out
	$(GO) clean -testcache

# existing keeps the package patterns whose folder exists.
existing = $(foreach p,$(1),$(if $(wildcard $(patsubst %/...,%,$(p))),$(p)))
