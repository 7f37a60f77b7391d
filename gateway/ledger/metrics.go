package ledger

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"modernc.org/sqlite"
)

func (l lane) String() string {
	if l == bulk {
		return "bulk"
	}
	return "acts"
}

// metered is a database whose writes are measured.
type metered struct {
	base
	seconds [2]prometheus.Observer
	waiting [2]prometheus.Gauge
	faults  [2]prometheus.Counter
}

// measure registers the metrics of a database. For SQLite the sizes of its
// file and its log are among them.
func measure(db base, r prometheus.Registerer) base {
	m := promauto.With(r)
	seconds := m.NewHistogramVec(prometheus.HistogramOpts{
		Name: "loa_ledger_commit_seconds", Help: "From the wish to write until it is durable, the wait included.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15), // 0.5 ms to 8 s
	}, []string{"lane"})
	waiting := m.NewGaugeVec(prometheus.GaugeOpts{Name: "loa_ledger_queue_length", Help: "Writes that wait or are being made durable."}, []string{"lane"})
	faults := m.NewCounterVec(prometheus.CounterOpts{Name: "loa_ledger_errors_total", Help: "Writes that failed because of the database, not of what was written."}, []string{"lane"})
	d := &metered{base: db}
	for _, l := range []lane{acts, bulk} {
		d.seconds[l] = seconds.WithLabelValues(l.String())
		d.waiting[l] = waiting.WithLabelValues(l.String())
		d.faults[l] = faults.WithLabelValues(l.String())
	}
	if file, ok := db.(*lite); ok {
		m.NewGaugeFunc(prometheus.GaugeOpts{Name: "loa_ledger_size_bytes", Help: "Size of the database's file."}, size(file.path))
		m.NewGaugeFunc(prometheus.GaugeOpts{Name: "loa_ledger_wal_size_bytes", Help: "Size of the database's log (WAL)."}, size(file.path+"-wal"))
	}
	return d
}

func size(path string) func() float64 {
	return func() float64 {
		s, err := os.Stat(path) //nolint:gosec // the data folder is the operator's
		if err != nil {
			return 0
		}
		return float64(s.Size())
	}
}

func (d *metered) write(ctx context.Context, l lane, do func(tx) error) error {
	began := time.Now()
	d.waiting[l].Inc()
	var own error
	err := d.base.write(ctx, l, func(t tx) error {
		own = do(t)
		return own
	})
	d.waiting[l].Dec()
	switch {
	case err == nil:
		d.seconds[l].Observe(time.Since(began).Seconds())
	case isFault(err, own):
		d.faults[l].Inc()
	}
	return err
}

// isFault tells what the database did from what a room refused (own) or a
// caller gave up.
func isFault(err, own error) bool {
	var lite *sqlite.Error
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &lite), errors.As(err, &pg):
		return true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrClosed):
		return false
	default:
		return own == nil
	}
}
