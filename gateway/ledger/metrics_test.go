package ledger

import (
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"loa/gateway/desk"
)

// metric reads one value: of a histogram, how much was observed.
func metric(t *testing.T, r *prometheus.Registry, name, lane string) float64 {
	t.Helper()
	for _, f := range got(r.Gather())(t) {
		for _, m := range f.GetMetric() {
			if f.GetName() != name || lane != "" && m.GetLabel()[0].GetValue() != lane {
				continue
			}
			if f.GetType() == dto.MetricType_HISTOGRAM {
				return float64(m.GetHistogram().GetSampleCount())
			}
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s of %q", name, lane)
	return 0
}

func TestMetricsMove(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		r := prometheus.NewRegistry()
		l := open(t, Options{Metrics: r})
		before, bulkBefore := metric(t, r, "loa_ledger_commit_seconds", "acts"), metric(t, r, "loa_ledger_commit_seconds", "bulk")
		c := draft("a1")
		must(t, l.Desk().Create(t.Context(), c, record("alert.draft", "a1")))
		if n := metric(t, r, "loa_ledger_commit_seconds", "acts"); n != before+1 {
			t.Errorf("%v commits of acts after %v", n, before)
		}
		must(t, l.sweep(t.Context(), func(tx) (int, error) { return 0, nil }))
		if n := metric(t, r, "loa_ledger_commit_seconds", "bulk"); n <= bulkBefore {
			t.Errorf("%v commits of bulk after %v", n, bulkBefore)
		}
		if err := l.Desk().Create(t.Context(), c, record("alert.draft", "a1")); !errors.Is(err, desk.ErrConflict) {
			t.Fatal(err)
		}
		if n := metric(t, r, "loa_ledger_errors_total", "acts"); n != 0 {
			t.Errorf("%v errors after a refusal of a room", n)
		}
		err := l.db.write(t.Context(), acts, func(t tx) error {
			_, err := t.exec("INSERT INTO no_such_table (a) VALUES (?)", int64(1))
			return err
		})
		if n := metric(t, r, "loa_ledger_errors_total", "acts"); n != 1 || err == nil {
			t.Errorf("%v errors after %v", n, err)
		}
		inside := -1.0
		must(t, l.db.write(t.Context(), acts, func(tx) error {
			inside = metric(t, r, "loa_ledger_queue_length", "acts")
			return nil
		}))
		if after := metric(t, r, "loa_ledger_queue_length", "acts"); inside != 1 || after != 0 {
			t.Errorf("queue %v during a write, %v after it", inside, after)
		}
		problems := got(testutil.GatherAndLint(r))(t)
		if len(problems) > 0 {
			t.Errorf("names: %v", problems)
		}
	})
}

func TestSizesAreMeasured(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	l := openTestSQLite(t, Options{Metrics: r})
	file, wal := 0.0, 0.0
	for i := 0; i < 50 && wal == 0; i++ { // a pass over the log may just have emptied it
		got(l.Audience().Add(t.Context(), noon, people(1+100*i, 100)))(t)
		file, wal = metric(t, r, "loa_ledger_size_bytes", ""), metric(t, r, "loa_ledger_wal_size_bytes", "")
	}
	if file <= 0 || wal <= 0 {
		t.Errorf("file %v bytes, log %v", file, wal)
	}
}
