// Command report writes the fault matrix as a page, from the results that a
// run left in a folder.
//
//	report DIR > docs/faults.md
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

type row struct {
	ID    string `json:"id"`
	Fault string `json:"fault"`
	Pass  string `json:"pass"`
}

type result struct {
	Set     string    `json:"set"`
	Commit  string    `json:"commit"`
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"`
	Counts  []struct {
		Name  string `json:"name"`
		Value any    `json:"value"`
	} `json:"counts"`
	Verdict string `json:"verdict"`
}

func read(path string, into any) error {
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(src, into)
}

func run(dir string, out io.Writer) error {
	var rows []row
	if err := read(filepath.Join(dir, "rows.json"), &rows); err != nil {
		return err
	}
	fmt.Fprint(out, intro)
	fmt.Fprintln(out, "| row | fault | must hold, besides nobody lost and nobody warned by a phantom | counts | set | commit | date | s | verdict |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	total := map[string]int{}
	for _, r := range rows {
		var got result
		err := read(filepath.Join(dir, r.ID+".json"), &got)
		if errors.Is(err, fs.ErrNotExist) {
			got.Verdict = "not run"
		} else if err != nil {
			return fmt.Errorf("%s: %w", r.ID, err)
		}
		total[got.Verdict]++
		counts := make([]string, len(got.Counts))
		for i, c := range got.Counts {
			counts[i] = fmt.Sprintf("%s %v", c.Name, c.Value)
		}
		date, seconds := "", ""
		if !got.At.IsZero() {
			date, seconds = got.At.Format(time.DateOnly), fmt.Sprintf("%.0f", got.Seconds)
		}
		cells := []string{r.ID, r.Fault, r.Pass, strings.Join(counts, "; "), got.Set, got.Commit, date, seconds, got.Verdict}
		for i, c := range cells {
			cells[i] = strings.ReplaceAll(c, "|", "\\|")
		}
		fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | "))
	}
	var sums []string
	for _, v := range slices.Sorted(maps.Keys(total)) {
		sums = append(sums, fmt.Sprintf("%d %s", total[v], v))
	}
	_, err := fmt.Fprintf(out, "\n%d rows: %s.\n", len(rows), strings.Join(sums, ", "))
	return err
}

const intro = `# Fault matrix

Written by ` + "`make faults`" + ` and ` + "`make faults-long`" + `; not edited by hand. Each row plays a storm
warning over real processes (gateways, Redis, PostgreSQL, a carrier, a push service, apps), injects one
fault, proves that the fault happened, and holds what people got against the providers' own books.
Short rows warn up to 10,000 people, long ones up to 100,000. A commit with a plus had changes beside it.
What the guards cost in throughput stands in benchmarks.md.

`

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: report DIR")
	}
	if err := run(os.Args[1], os.Stdout); err != nil {
		log.Fatal(err)
	}
}
