# make test   everything (installs what is missing on Debian as root)
# make bench  the figures of docs/benchmarks.md, beside their peers
# make lint   gofmt and golangci-lint (go vet is part of it), pinned in .ci/tools

GO ?= go

# Packages with tests that do less with -short: the only ones to run twice.
FULL = $(shell grep -rl --include='*_test.go' 'testing\.Short()' cmd gateway channels | xargs -n 1 dirname | sort -u | sed 's,^,./,')

.PHONY: test bench lint demo build

test:
	.ci/install
	$(GO) run ./.ci/strict -race -short -timeout 15m ./...
	$(GO) run ./.ci/strict -timeout 15m $(FULL)

lint:
	@test -z "$$(gofmt -l cmd gateway channels templates configs)" || { gofmt -l cmd gateway channels templates configs; exit 1; }
	$(GO) tool -modfile=.ci/tools/go.mod golangci-lint run ./...

bench:
	.ci/bench/run

demo:
	$(GO) run ./cmd/loa demo

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o dist/loa ./cmd/loa
