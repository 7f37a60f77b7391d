# make test   everything (installs what is missing on Debian as root)
# make faults       the fault matrix at its short settings, into docs/faults.md, and many simulated lives
# make faults-long  the same at full counts, and the soak; goes on where it was stopped
# make bench  the figures of docs/benchmarks.md, beside their peers
# make lint   gofmt and golangci-lint (go vet is part of it), pinned in .ci/tools; the benches build

GO ?= go

# Packages with tests that do less with -short: the only ones to run twice.
FULL = $(shell grep -rl --include='*_test.go' 'testing\.Short()' cmd gateway channels | xargs -n 1 dirname | sort -u | sed 's,^,./,')

# What runs under the race detector: all but the tests that play with whole
# processes, which it does not see into. Those run once, the fault matrix alone,
# since it loads the machine by itself.
ROOMS = $(shell $(GO) list ./... | grep -v '/cmd/loa')

.PHONY: test faults faults-long bench lint demo build

test:
	.ci/install
	$(GO) run ./.ci/strict -race -short -timeout 15m $(ROOMS)
	$(GO) run ./.ci/strict -timeout 15m $(filter-out ./cmd/loa/faults,$(FULL))
	$(GO) run ./.ci/strict -timeout 15m ./cmd/loa/faults

# Results of the fault matrix, one file a row; what passed there at the same
# commit is not run again.
FAULTS_DIR ?= dist/faults

faults: FAULTS = short
faults-long: FAULTS = long
faults faults-long:
	.ci/install faults
	mkdir -p $(FAULTS_DIR)
	LOA_FAULTS=$(FAULTS) LOA_FAULTS_DIR=$(abspath $(FAULTS_DIR)) $(GO) test -count 1 -timeout 0 -v ./cmd/loa/faults; \
	  status=$$?; $(GO) run -C .ci/faults ./report $(abspath $(FAULTS_DIR)) > docs/faults.md; \
	  LOA_SIM_SEEDS=10000 $(GO) test -count 1 -timeout 0 -run '^TestSimulation$$' ./gateway/simulation || status=$$?; \
	  $(GO) test -count 1 -timeout 0 -run '^TestStateMachine$$' ./gateway/simulation -rapid.checks=500 || status=$$?; exit $$status

lint:
	@test -z "$$(gofmt -l cmd gateway channels templates configs)" || { gofmt -l cmd gateway channels templates configs; exit 1; }
	$(GO) tool -modfile=.ci/tools/go.mod golangci-lint run ./...
	$(GO) vet -C .ci/bench ./...
	$(GO) vet -C .ci/faults ./...

bench:
	.ci/bench/run
	LOA_IMPORT_ROWS=1000000 $(GO) test -count 1 -timeout 30m -run TestGreatImport -v ./gateway/ledger

demo:
	$(GO) run ./cmd/loa demo

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o dist/loa ./cmd/loa
