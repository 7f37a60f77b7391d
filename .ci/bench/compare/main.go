// Command compare reads the JSON lines of interleaved runs and prints, for
// each field asked for, the median of both sides and their ratio.
//
//	compare -ours loa -peer webpush-go cpu_us_per_message<=0.5 < runs.jsonl
//	compare -table < rows.jsonl
//
// A bound after a field is the goal for the ratio; with "own:" before the field
// it is one for our own figure, and the peer need not have the field. compare
// exits 1 when a goal is missed. With -table it prints rows that it printed
// before, for people.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"loabench/measure"
)

type row struct {
	Bench string  `json:"bench"`
	Field string  `json:"field"`
	Runs  int     `json:"runs"`
	Impl  string  `json:"impl"`
	Ours  float64 `json:"loa"`
	Peer  float64 `json:"peer"`
	With  string  `json:"peer_name"`
	Ratio float64 `json:"ratio"`
	Goal  string  `json:"goal,omitempty"` // for the ratio, or for our own figure
	OK    bool    `json:"ok"`
}

func main() {
	ours := flag.String("ours", "loa", "impl of our runs")
	peer := flag.String("peer", "", "impl of the peer's runs")
	asTable := flag.Bool("table", false, "print rows for people")
	flag.Parse()
	var runs []map[string]any
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var r map[string]any
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			log.Fatalf("%v: %s", err, in.Text())
		}
		runs = append(runs, r)
	}
	if *asTable {
		table(runs)
		return
	}
	failed := false
	for _, f := range flag.Args() {
		field, g := parse(f)
		r := row{Field: field, Impl: *ours, With: *peer, Goal: g.String()}
		r.Bench, _ = runs[0]["bench"].(string)
		var m int
		r.Ours, r.Runs = median(runs, *ours, field)
		r.Peer, m = median(runs, *peer, field)
		if r.Runs == 0 || r.Runs != m && !(g.own && m == 0) {
			log.Fatalf("%s: %d runs of %s, %d of %s", field, r.Runs, *ours, m, *peer)
		}
		if m > 0 && r.Peer != 0 {
			r.Ratio = r.Ours / r.Peer
		}
		r.OK = g.met(r)
		failed = failed || !r.OK
		measure.Emit(r)
	}
	if failed {
		os.Exit(1)
	}
}

// goal is a bound of a ratio or of our own figure.
type goal struct {
	own   bool
	op    string // "", "<=", ">="
	bound float64
}

func parse(s string) (field string, g goal) {
	s, g.own = strings.CutPrefix(s, "own:")
	for _, op := range []string{"<=", ">="} {
		if f, bound, ok := strings.Cut(s, op); ok {
			n, err := strconv.ParseFloat(bound, 64)
			if err != nil {
				log.Fatalf("%s: %v", s, err)
			}
			g.op, g.bound = op, n
			return f, g
		}
	}
	return s, g
}

func (g goal) String() string {
	if g.op == "" {
		return ""
	}
	of := "ratio"
	if g.own {
		of = "figure"
	}
	words := map[string]string{"<=": "at most", ">=": "at least"}
	return of + " " + words[g.op] + " " + strconv.FormatFloat(g.bound, 'f', -1, 64)
}

func (g goal) met(r row) bool {
	v := r.Ratio
	if g.own {
		v = r.Ours
	}
	switch g.op {
	case "<=":
		return v <= g.bound
	case ">=":
		return v >= g.bound
	default:
		return true
	}
}

// table prints rows; lines that are none are left out.
func table(rows []map[string]any) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "figure (median)\tloa\tpeer\t\tloa / peer\tgoal\t")
	for _, r := range rows {
		if r["field"] == nil {
			continue
		}
		verdict := ""
		if r["goal"] != nil && r["ok"] == true {
			verdict = "met"
		} else if r["goal"] != nil {
			verdict = "MISSED"
		}
		_, _ = fmt.Fprintf(w, "%v %v %v\t%s\t%s\t%v\t%s\t%v\t%s\n", r["bench"], r["impl"], r["field"], figure(r["loa"]), figure(r["peer"]), r["peer_name"], figure(r["ratio"]), text(r["goal"]), verdict)
	}
	_ = w.Flush()
}

func text(v any) any {
	if v == nil {
		return ""
	}
	return v
}

func figure(v any) string {
	f, _ := v.(float64)
	switch {
	case f == 0:
		return "–"
	case f >= 100:
		return strconv.FormatFloat(f, 'f', 0, 64)
	default:
		return strconv.FormatFloat(f, 'g', 3, 64)
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
