#!/bin/sh
# app.sh [RUNS] [LISTENERS] [ROUNDS]: CPU per message and memory per connection
# of the app hub beside centrifuge v0.40.1, the clients in another process. Runs
# of both sides alternate; every run is printed as a JSON line, then the medians
# with their ratios. It needs twice as many file descriptors as listeners.
set -eu
cd "$(dirname "$0")"
runs=${1:-5}
listeners=${2:-10000}
rounds=${3:-20}
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || :; rm -rf "$dir"' EXIT
ulimit -n "$(ulimit -H -n)"
go build -o "$dir/app" ./app
go build -o "$dir/compare" ./compare
pin() { core=$1; shift; if command -v taskset >/dev/null && [ "$(nproc)" -gt 1 ]; then exec taskset -c "$core" "$@"; else exec "$@"; fi; }

i=0
while [ "$i" -lt "$runs" ]; do
	for impl in loa centrifuge; do
		(pin 0 "$dir/app" server -impl "$impl") &
		server=$!
		sleep 1
		(pin 1 "$dir/app" client -impl "$impl" -n "$listeners" -rounds "$rounds") | tee -a "$dir/runs.jsonl"
		kill "$server"
		wait "$server" 2>/dev/null || :
		server=
	done
	i=$((i + 1))
done
"$dir/compare" -peer centrifuge 'cpu_us_per_message<=0.9' 'rss_bytes_per_connection<=0.35' rss_after_bytes_per_connection last_ms <"$dir/runs.jsonl"
