#!/bin/sh
# webpush.sh [RUNS] [MESSAGES]: CPU per web push message, Loa's driver beside
# webpush-go v1.4.0, over one local HTTPS sink. Runs of both sides alternate;
# every run is printed as a JSON line, then the medians with their ratio.
set -eu
cd "$(dirname "$0")"
runs=${1:-3}
messages=${2:-20000}
dir=$(mktemp -d)
sink=
trap '[ -z "$sink" ] || kill "$sink" 2>/dev/null || :; rm -rf "$dir"' EXIT
go build -o "$dir/webpush" ./webpush
go build -o "$dir/compare" ./compare
pin() { core=$1; shift; if command -v taskset >/dev/null && [ "$(nproc)" -gt 1 ]; then exec taskset -c "$core" "$@"; else exec "$@"; fi; }

(pin 1 "$dir/webpush" sink -cert "$dir/cert.pem") 2>/dev/null &
sink=$!
until [ -s "$dir/cert.pem" ]; do kill -0 "$sink"; sleep 0.1; done
sleep 0.5
export SSL_CERT_FILE="$dir/cert.pem"
i=0
while [ "$i" -lt "$runs" ]; do
	for impl in loa webpush-go; do
		(pin 0 "$dir/webpush" send -impl "$impl" -n "$messages") | tee -a "$dir/runs.jsonl"
	done
	i=$((i + 1))
done
"$dir/compare" -peer webpush-go 'cpu_us_per_message<=0.5' messages_per_s body_bytes <"$dir/runs.jsonl"
