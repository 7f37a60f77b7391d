#!/bin/sh
# before.sh [RUNS] [RECIPIENTS] [COMMIT]: the fan-out now beside the same at an
# earlier commit, by default the last one without the guards (generation and
# witness, page sums, shared rates at the start of each call, order of
# corrections). Runs alternate; each is printed as a JSON line, then the medians
# with their ratio, which may not fall below 0.8. It needs the history of the
# repository.
set -eu
cd "$(dirname "$0")"
runs=${1:-3}
recipients=${2:-1000000}
commit=${3:-0909df3}
dir=$(mktemp -d ${DIR:+-p "$DIR"})
server=
port=16391
cleanup() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || :
	git worktree remove --force "$dir/tree" 2>/dev/null || :
	rm -rf "$dir"
}
trap cleanup EXIT
git worktree add --quiet --detach "$dir/tree" "$commit"
go build -o "$dir/compare" ./compare
(cd ../.. && go build -o "$dir/now" ./cmd/loa)
(cd "$dir/tree" && go build -o "$dir/before" ./cmd/loa)

i=0
while [ "$i" -lt "$runs" ]; do
	for impl in now before; do
		mkdir -p "$dir/redis"
		redis-server --bind 127.0.0.1 --port "$port" --dir "$dir/redis" --save '' --appendonly yes --appendfsync everysec \
			--auto-aof-rewrite-percentage 0 --maxmemory-policy noeviction --logfile redis.log &
		server=$!
		until redis-cli -p "$port" ping >/dev/null 2>&1; do kill -0 "$server"; sleep 0.1; done
		"$dir/$impl" bench fanout --recipients "$recipients" --window 256 --workers 8 --redis "127.0.0.1:$port" --dir "$dir" --keep "$dir/people-$impl" --json |
			tail -n 1 | sed "s/^{/{\"bench\":\"before\",\"impl\":\"$impl\",/" | tee -a "$dir/runs.jsonl"
		kill "$server"
		wait "$server" || :
		server=
		rm -rf "$dir/redis"
	done
	i=$((i + 1))
done
"$dir/compare" -ours now -peer before "recipients_per_s>=0.8" cpu_us_per_recipient <"$dir/runs.jsonl"
