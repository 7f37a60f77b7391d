package delivery

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"loa/channels"
)

// book is a sender that writes down every call and answers as it is told.
type book struct {
	kind   channels.Kind
	name   string
	live   bool
	answer func(n int, m channels.Message) (channels.Ack, error) // n: earlier calls to the same address
	takes  time.Duration

	mu    sync.Mutex
	calls []entry
	times map[channels.Address]int
	open  int
	peak  int
}

type entry struct {
	at  time.Time
	msg channels.Message
	ok  bool
}

func (b *book) Kind() channels.Kind { return b.kind }
func (b *book) Provider() string    { return b.name }
func (b *book) Live() bool          { return b.live }

func (b *book) Send(ctx context.Context, m channels.Message) (channels.Ack, error) {
	b.mu.Lock()
	if b.times == nil {
		b.times = make(map[channels.Address]int)
	}
	n := b.times[m.To]
	b.times[m.To]++
	at := len(b.calls)
	b.calls = append(b.calls, entry{at: time.Now(), msg: m})
	b.open++
	b.peak = max(b.peak, b.open)
	answer, takes := b.answer, b.takes
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.open--
		b.mu.Unlock()
	}()
	if takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return channels.Ack{}, ctx.Err()
		}
	}
	ack, err := channels.Ack{Outcome: channels.Accepted, ProviderRef: "SM1"}, error(nil)
	if answer != nil {
		ack, err = answer(n, m)
	}
	if err == nil {
		b.mu.Lock()
		b.calls[at].ok = true
		b.mu.Unlock()
	}
	return ack, err
}

func (b *book) made() []entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]entry(nil), b.calls...)
}

func (b *book) count() int { return len(b.made()) }

// most is the largest number of calls to one address.
func (b *book) most() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, k := range b.times {
		n = max(n, k)
	}
	return n
}

// rig is an engine over the models.
type rig struct {
	t     *testing.T
	store *modelStore
	addrs *modelAddresses
	hints *modelHints
	reg   *prometheus.Registry
	log   bytes.Buffer
	logMu sync.Mutex
	e     *Engine
	end   context.CancelFunc
	ended chan error
}

func (r *rig) Write(p []byte) (int, error) {
	r.logMu.Lock()
	defer r.logMu.Unlock()
	return r.log.Write(p)
}

func newRig(t *testing.T, change func(*Options), lanes ...Lane) *rig {
	t.Helper()
	r := &rig{t: t, store: newModelStore(), addrs: &modelAddresses{gone: map[int64]bool{}}, hints: newModelHints(), reg: prometheus.NewRegistry()}
	o := Options{
		Store: r.store, Addresses: r.addrs, Hints: r.hints, RefKey: []byte("0123456789abcdef"), Node: "one",
		Log: slog.New(slog.NewTextHandler(r, nil)), Registerer: r.reg, Lanes: lanes,
	}
	if change != nil {
		change(&o)
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.e = e
	return r
}

func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.end, r.ended = cancel, make(chan error, 1)
	go func() { r.ended <- r.e.Run(ctx) }()
}

// stop ends the engine and checks that nobody's number was logged.
func (r *rig) stop() {
	r.t.Helper()
	r.end()
	if err := <-r.ended; err != nil {
		r.t.Error("Run:", err)
	}
	r.logMu.Lock()
	defer r.logMu.Unlock()
	if strings.Contains(r.log.String(), "+84") {
		r.t.Error("an address was logged:", r.log.String())
	}
}

// finish waits until every batch is done.
func (r *rig) finish(within time.Duration) {
	r.t.Helper()
	r.until(within, r.store.allDone)
}

func (r *rig) until(within time.Duration, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("not within %v: %v; %s", within, r.store.outcomes(), r.log.String())
		}
	}
}

func (r *rig) want(o channels.Outcome, n int) {
	r.t.Helper()
	if got := r.store.outcomes(); got[o] != n {
		r.t.Errorf("%s: %d, want %d (all: %v)", o, got[o], n, got)
	}
}

// metric sums a metric over the series that have all the given label values.
func (r *rig) metric(name string, labels ...string) float64 {
	r.t.Helper()
	fams, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	var sum float64
	for _, f := range fams {
		if f.GetName() != "loa_delivery_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			if hasLabels(m, labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func hasLabels(m *dto.Metric, values []string) bool {
	for _, v := range values {
		found := false
		for _, l := range m.GetLabel() {
			found = found || l.GetValue() == v
		}
		if !found {
			return false
		}
	}
	return true
}

// batch has n recipients from id first.
func batch(kind channels.Kind, first int64, n int) Batch {
	b := Batch{Alert: "VN-1", Revision: 1, Kind: kind, Language: "vi", Commune: "06655", Status: channels.Actual, Resend: true, Urgent: true, Code: "K7QM", Body: []byte("Bão số 3")}
	for i := range n {
		b.Recipients = append(b.Recipients, first+int64(i))
	}
	return b
}

func (r *rig) send(bs ...Batch) {
	var hs []Hint
	for _, b := range bs {
		hs = append(hs, r.store.cut(b))
	}
	r.e.Hint(context.Background(), hs...)
}

func smsLane(b *book) Lane {
	return Lane{Kind: channels.SMS, Providers: []Provider{{Sender: b}}, Workers: 4, Window: 16}
}

func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}
