package gateway

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	dto "github.com/prometheus/client_model/go"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"loa/channels"
	"loa/gateway/config"
)

// rules reads the expressions of configs/alerts.yaml, by alert.
func rules(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("../configs/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if all[r.Alert] != "" || !strings.HasPrefix(r.Alert, "Loa") {
				t.Errorf("%s stands there twice, or is not ours by its name", r.Alert)
			}
			if !slices.Contains([]string{"critical", "warning"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s: severity %q, summary %q, description %q", r.Alert, r.Labels["severity"], r.Annotations["summary"], r.Annotations["description"])
			}
			all[r.Alert] = r.Expr
		}
	}
	if len(all) < 10 {
		t.Fatalf("%d rules", len(all))
	}
	return all
}

// panels reads the expressions of configs/grafana.json, by panel and target.
func panels(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("../configs/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, p := range board.Panels {
		for _, q := range p.Targets {
			all[p.Title+" "+q.RefID] = strings.ReplaceAll(q.Expr, "$instance", ".*")
		}
	}
	if len(all) < 15 {
		t.Fatalf("%d queries", len(all))
	}
	return all
}

var metricName = regexp.MustCompile(`\bloa_[a-z_]+`)

// served lists the names under which a running gateway that watches itself
// serves series, as Prometheus stores them.
func served(t *testing.T) map[string]bool {
	t.Helper()
	g, _, _ := watched(t, config.Watch{Canaries: []config.Canary{{Channel: channels.SMS, To: watchedNumber}}})
	problems, err := testutil.GatherAndLint(g.Metrics)
	if err != nil || len(problems) > 0 {
		t.Errorf("metric names: %v %v", problems, err)
	}
	families, err := g.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
		if f.GetType() == dto.MetricType_HISTOGRAM {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				names[f.GetName()+suffix] = true
			}
		}
	}
	return names
}

// TestRulesAskForWhatIsServed: an alert on a name that nobody serves never fires.
func TestRulesAskForWhatIsServed(t *testing.T) {
	t.Parallel()
	names := served(t)
	for _, source := range []map[string]string{rules(t), panels(t)} {
		for where, expr := range source {
			for _, name := range metricName.FindAllString(expr, -1) {
				if !names[name] {
					t.Errorf("%s asks for %s, which is not served", where, name)
				}
			}
		}
	}
}

// TestRulesAreValid has Prometheus' own tool read the rules and, written as
// rules, the queries of the dashboard.
func TestRulesAreValid(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is missing")
		}
		t.Skip("promtool is missing")
	}
	var b strings.Builder
	b.WriteString("groups:\n- name: dashboard\n  rules:\n")
	i := 0
	for _, expr := range panels(t) {
		fmt.Fprintf(&b, "  - record: loa:panel:%d\n    expr: %q\n", i, expr)
		i++
	}
	queries := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(queries, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, n := range map[string]int{"../configs/alerts.yaml": len(rules(t)), queries: i} {
		out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", path).CombinedOutput()
		if err != nil || !strings.Contains(string(out), fmt.Sprintf("SUCCESS: %d rules found", n)) {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
}
