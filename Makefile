# make test   everything (installs what is missing on Debian as root)
# make bench  the figures of docs/benchmarks.md, beside their peers
# make lint   gofmt, go vet and golangci-lint, pinned in .ci/tools

GO ?= go

.PHONY: test bench lint demo build

test:
	.ci/install
	$(GO) vet ./...
	$(GO) test -race -short -timeout 15m ./...
	$(GO) test -timeout 15m ./...

lint:
	@test -z "$$(gofmt -l cmd gateway channels templates configs)" || { gofmt -l cmd gateway channels templates configs; exit 1; }
	$(GO) tool -modfile=.ci/tools/go.mod golangci-lint run ./...

bench:
	.ci/bench/run

demo:
	$(GO) run ./cmd/loa demo

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o dist/loa ./cmd/loa
