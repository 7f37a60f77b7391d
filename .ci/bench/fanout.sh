#!/bin/sh
# fanout.sh [RUNS] [RECIPIENTS] [TASKS]: one alert to many, from its approval to
# the last durable outcome, beside asynq v0.26 with one task per recipient. Each
# run has a Redis server of its own with the same settings; runs of both sides
# alternate. Every run is printed as a JSON line, then the medians with their
# ratios. The environment may say DIR, on which disk it works, and KEEP, a folder in
# which the subscribers are kept for the next time.
set -eu
cd "$(dirname "$0")"
runs=${1:-3}
recipients=${2:-1000000}
tasks=${3:-50000}
dir=$(mktemp -d ${DIR:+-p "$DIR"})
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || :; rm -rf "$dir"' EXIT
go build -o "$dir/asynq" ./asynq
go build -o "$dir/compare" ./compare
(cd ../.. && go build -o "$dir/loa" ./cmd/loa)

port=16390
redis() {
	mkdir -p "$dir/redis"
	redis-server --bind 127.0.0.1 --port "$port" --dir "$dir/redis" --save '' --appendonly yes --appendfsync everysec \
		--auto-aof-rewrite-percentage 0 --maxmemory-policy noeviction --logfile redis.log &
	server=$!
	until redis-cli -p "$port" ping >/dev/null 2>&1; do kill -0 "$server"; sleep 0.1; done
}
stop() {
	kill "$server"
	wait "$server" || :
	server=
	rm -rf "$dir/redis"
}
fan() {
	redis
	"$dir/loa" bench fanout --recipients "$recipients" --window "$1" --workers 8 --redis "127.0.0.1:$port" --dir "$dir" --keep "${KEEP:-$dir/subscribers}" --json |
		tail -n 1 | sed "s/^{/{\"bench\":\"fanout\",\"impl\":\"loa W=$1\",/" | tee -a "$dir/runs.jsonl"
	stop
}

i=0
while [ "$i" -lt "$runs" ]; do
	fan 256
	redis
	"$dir/asynq" -redis "127.0.0.1:$port" -n "$tasks" | tee -a "$dir/runs.jsonl"
	stop
	fan 64
	i=$((i + 1))
done
missed=0
for w in "256 15 100000" "64 10 70000"; do
	set -- $w
	"$dir/compare" -ours "loa W=$1" -peer asynq "recipients_per_s>=$2" "own:recipients_per_s>=$3" cpu_us_per_recipient redis_cpu_us_per_recipient \
		"own:redis_bytes_per_recipient<=1" "own:ledger_bytes_per_recipient<=8" own:first_ms own:peak_rss_bytes <"$dir/runs.jsonl" || missed=1
done
exit "$missed"
