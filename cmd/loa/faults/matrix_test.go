package faults

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"loa/cmd/loa/rig"
	"loa/gateway/ledger/postgrestest"
)

// set is how much of the matrix is run.
type set int

const (
	core set = iota
	short
	long
)

var setNames = []string{"core", "short", "long"}

// chosen is the set of this run.
func chosen(t *testing.T) set {
	t.Helper()
	name := os.Getenv("LOA_FAULTS")
	if name == "" {
		return core
	}
	i := slices.Index(setNames, name)
	if i < 0 {
		t.Fatalf("LOA_FAULTS=%q: one of %v", name, setNames)
	}
	return set(i)
}

// row is one fault of the matrix.
type row struct {
	id    string
	fault string
	pass  string // what must hold besides that nobody is lost
	from  set    // the smallest set it belongs to
	alone bool   // cannot share the machine with another row
	play  func(*run)
}

// run is one playing of a row.
type run struct {
	*testing.T
	set    set
	counts []count
}

type count struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

// note keeps a figure for the report.
func (r *run) note(name string, value any) {
	r.counts = append(r.counts, count{name, value})
	r.Logf("%s: %v", name, value)
}

// judge holds the history of the run against the invariants; the last thing
// that a row does.
func (r *run) judge(p *rig.Rig, also ...string) { r.judgeAs(p, rig.Trial{Also: also}) }

func (r *run) judgeAs(p *rig.Rig, t rig.Trial) {
	r.Helper()
	r.note("history", p.Judge(t))
}

// pick returns the count of the set that is run.
func (r *run) pick(core, short, long int) int { return [...]int{core, short, long}[r.set] }

// result is what the report is made of.
type result struct {
	Row     string    `json:"row"`
	Fault   string    `json:"fault"`
	Pass    string    `json:"pass"`
	Set     string    `json:"set"`
	Commit  string    `json:"commit"`
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"`
	Counts  []count   `json:"counts"`
	Verdict string    `json:"verdict"` // pass or fail
}

func TestMain(m *testing.M) {
	code := m.Run()
	postgrestest.Stop()
	rig.Remove()
	os.Exit(code)
}

// TestMatrix plays the rows of the chosen set.
func TestMatrix(t *testing.T) {
	s := chosen(t)
	dir := os.Getenv("LOA_FAULTS_DIR")
	only := strings.FieldsFunc(os.Getenv("LOA_FAULTS_ROWS"), func(r rune) bool { return r == ',' || r == ' ' })
	commit := head()
	if dir != "" {
		listRows(t, dir)
	}
	for _, r := range rows {
		if r.play == nil || r.from > s || len(only) > 0 && !slices.Contains(only, r.id) || passed(dir, r.id, commit, s) {
			continue
		}
		t.Run(r.id, func(t *testing.T) {
			if !r.alone {
				t.Parallel()
			}
			began := time.Now()
			play := &run{T: t, set: s}
			t.Cleanup(func() {
				if dir == "" {
					return
				}
				verdict := "pass"
				if t.Failed() {
					verdict = "fail"
				}
				keep(t, dir, r.id, result{r.id, r.fault, r.pass, setNames[s], commit, began.UTC(), time.Since(began).Seconds(), play.counts, verdict})
			})
			r.play(play)
		})
	}
}

// TestRowsAreNamedOnce holds the table together.
func TestRowsAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.id] || r.fault == "" || r.pass == "" {
			t.Errorf("row %s: named twice or incomplete", r.id)
		}
		seen[r.id] = true
	}
}

// head names the commit, with "+" if the tree differs from it.
func head() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty=+", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// passed reports whether the row need not be run again.
func passed(dir, id, commit string, s set) bool {
	if dir == "" || strings.HasSuffix(commit, "+") {
		return false
	}
	src, err := os.ReadFile(filepath.Join(dir, id+".json")) // #nosec G304 -- whoever runs the tests names the folder
	if err != nil {
		return false
	}
	var r result
	return json.Unmarshal(src, &r) == nil && r.Commit == commit && r.Set == setNames[s] && r.Verdict == "pass"
}

func keep(t *testing.T, dir, name string, v any) {
	t.Helper()
	src, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		err = os.MkdirAll(dir, 0o750)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".json"), append(src, '\n'), 0o600)
	}
	if err != nil {
		t.Errorf("keeping %s: %v", name, err)
	}
}

// listRows keeps the whole table, so that the report names what was not run.
func listRows(t *testing.T, dir string) {
	t.Helper()
	type listed struct {
		ID    string `json:"id"`
		Fault string `json:"fault"`
		Pass  string `json:"pass"`
	}
	var all []listed
	for _, r := range rows {
		all = append(all, listed{r.id, r.fault, r.pass})
	}
	keep(t, dir, "rows", all)
}
