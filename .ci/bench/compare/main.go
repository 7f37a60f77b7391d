// Command compare reads the JSON lines of interleaved runs and prints, for
// each field asked for, the median of both sides and their ratio.
//
//	compare -ours loa -peer webpush-go cpu_us_per_message<=0.5 < runs.jsonl
//
// A bound after a field is the goal; compare exits 1 when a goal is missed.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"

	"loabench/measure"
)

type row struct {
	Bench string  `json:"bench"`
	Field string  `json:"field"`
	Runs  int     `json:"runs"`
	Ours  float64 `json:"loa"`
	Peer  float64 `json:"peer"`
	With  string  `json:"peer_name"`
	Ratio float64 `json:"ratio"`
	Goal  float64 `json:"goal,omitempty"` // the ratio that must not be passed
	OK    bool    `json:"ok"`
}

func main() {
	ours := flag.String("ours", "loa", "impl of our runs")
	peer := flag.String("peer", "", "impl of the peer's runs")
	flag.Parse()
	var runs []map[string]any
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var r map[string]any
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			log.Fatalf("%v: %s", err, in.Text())
		}
		runs = append(runs, r)
	}
	failed := false
	for _, f := range flag.Args() {
		field, bound, _ := strings.Cut(f, "<=")
		a, n := median(runs, *ours, field)
		b, m := median(runs, *peer, field)
		if n == 0 || n != m {
			log.Fatalf("%s: %d runs of %s, %d of %s", field, n, *ours, m, *peer)
		}
		goal, _ := strconv.ParseFloat(bound, 64)
		r := row{Field: field, Runs: n, Ours: a, Peer: b, With: *peer, Ratio: a / b, Goal: goal, OK: goal == 0 || a/b <= goal}
		r.Bench, _ = runs[0]["bench"].(string)
		failed = failed || !r.OK
		measure.Emit(r)
	}
	if failed {
		os.Exit(1)
	}
}

func median(runs []map[string]any, impl, field string) (float64, int) {
	var xs []float64
	for _, r := range runs {
		if v, ok := r[field].(float64); ok && r["impl"] == impl {
			xs = append(xs, v)
		}
	}
	if len(xs) == 0 {
		return 0, 0
	}
	slices.Sort(xs)
	return (xs[(len(xs)-1)/2] + xs[len(xs)/2]) / 2, len(xs)
}
