package watch

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/delivery"
	"loa/gateway/dispatch"
)

// book is a store that remembers what was issued and says of it what it is told.
type book struct {
	mu      sync.Mutex
	err     error
	issued  []*alert.Revision
	asked   []dispatch.Request
	outcome Outcomes
	pruned  int
}

func (b *book) Issue(_ context.Context, rev *alert.Revision, r dispatch.Request) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return false, b.err
	}
	for _, old := range b.issued {
		if old.Alert == rev.Alert && old.Number >= rev.Number {
			return false, nil
		}
	}
	b.issued, b.asked = append(b.issued, rev), append(b.asked, r)
	return true, nil
}

func (b *book) Outcomes(context.Context, alert.ID, int) (Outcomes, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.outcome, nil
}

func (b *book) Prune(_ context.Context, id alert.ID, below int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	gone := func(rev *alert.Revision) bool { return rev.Alert == id && rev.Number < below }
	b.pruned += len(b.issued)
	b.issued = slices.DeleteFunc(b.issued, gone)
	b.pruned -= len(b.issued)
	return nil
}

func (b *book) comesTo(o channels.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.outcome = Outcomes{}
	b.outcome[o] = 1
}

func (b *book) fails(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func (b *book) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.issued)
}

func newWatch(o Options) *Watch {
	if o.Store == nil {
		o.Store = &book{}
	}
	if o.Progress == nil {
		o.Progress = func() delivery.Progress { return delivery.Progress{} }
	}
	o.Wake, o.Now, o.Sender, o.Instance, o.Deployment, o.External = func() {}, time.Now, "loa.example.vn", "tram-1", "drill", "https://loa.example.vn"
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	return New(o)
}

func enlist(canaries, duty []int64) func(context.Context) ([]int64, []int64, error) {
	return func(context.Context) ([]int64, []int64, error) { return canaries, duty, nil }
}

// run runs the watch until the test in the bubble ends it.
func run(t *testing.T, w *Watch) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func stateOf(t *testing.T, w *Watch, part string) Part {
	t.Helper()
	for _, x := range w.Parts() {
		if x.Part == part {
			return x
		}
	}
	t.Fatalf("no part %s in %v", part, w.Parts())
	return Part{}
}

func TestCanaryRound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		w := newWatch(Options{Store: b, Canaries: []Canary{{Kind: channels.SMS, Every: 10 * time.Minute, Proof: channels.Delivered}}, Enlist: enlist([]int64{7}, nil)})
		defer run(t, w)()
		time.Sleep(time.Second)
		if b.count() != 1 {
			t.Fatalf("%d rounds were begun, want 1", b.count())
		}
		rev, r := b.issued[0], b.asked[0]
		if rev.Status != alert.Test || !cmp.Equal(rev.Infos[0].Areas[0].Geocodes, []alert.NamedValue{{Name: "VN-NSO-2025", Value: CanaryCell}}) || !Own(rev) {
			t.Errorf("the test message is %+v", rev)
		}
		want := dispatch.Request{
			Key: "watch/" + rev.Identifier, Alert: "canary-sms", Revision: rev.Number, Cause: dispatch.Canary, Priority: delivery.P2,
			Kinds: []channels.Kind{channels.SMS}, Snapshot: 7, Roster: true, People: []int64{7},
		}
		if d := cmp.Diff(want, r); d != "" {
			t.Error(d)
		}
		b.comesTo(channels.Accepted) // which does not prove that an SMS arrived
		time.Sleep(Wait - 5*time.Second)
		if x := stateOf(t, w, "canary/sms"); x.State != OK {
			t.Errorf("before its time the canary is %+v", x)
		}
		time.Sleep(10 * time.Second)
		if x := stateOf(t, w, "canary/sms"); x.State != Bad || x.Cause != CanaryLost {
			t.Errorf("after a minute without a receipt the canary is %+v", x)
		}
		b.comesTo(channels.Delivered)
		time.Sleep(10 * time.Minute)
		if x := stateOf(t, w, "canary/sms"); x.State != OK {
			t.Errorf("after the next round the canary is %+v", x)
		}
		if b.count() != 2 {
			t.Errorf("%d rounds in eleven minutes, want 2", b.count())
		}
		if n := testutil.ToFloat64(w.m.rounds.WithLabelValues("sms", "lost")); n != 1 {
			t.Errorf("lost rounds: %v", n)
		}
		if n := testutil.ToFloat64(w.m.rounds.WithLabelValues("sms", "arrived")); n != 1 {
			t.Errorf("arrived rounds: %v", n)
		}
	})
}

// TestCanaryBehindWarnings: while warnings go first and are being sent, a test
// that nobody has started is not lost; when they stand still it is.
func TestCanaryBehindWarnings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		b.comesTo(channels.Pending)
		began := time.Now()
		w := newWatch(Options{
			Store: b, Canaries: []Canary{{Kind: channels.WebPush, Every: 30 * time.Minute, Proof: channels.Accepted}}, Enlist: enlist([]int64{7}, nil),
			Progress: func() delivery.Progress {
				return delivery.Progress{Settled: uint64(min(time.Since(began), 3*time.Minute).Seconds())}
			},
		})
		defer run(t, w)()
		time.Sleep(3*time.Minute + 50*time.Second)
		if x := stateOf(t, w, "canary/webpush"); x.State != OK {
			t.Errorf("behind warnings the canary is %+v", x)
		}
		time.Sleep(20 * time.Second)
		if x := stateOf(t, w, "canary/webpush"); x.State != Bad {
			t.Errorf("a minute after the last send the canary is %+v", x)
		}
	})
}

// TestDutyIsTold: somebody on duty is told within a minute, once per cause,
// also when the ledger takes the page only later.
func TestDutyIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		var mu sync.Mutex
		direct := false
		probe := func(context.Context) []Part {
			mu.Lock()
			defer mu.Unlock()
			if direct {
				return []Part{Fault("redis", DirectMode, "Redis does not answer.")}
			}
			return []Part{Fine("redis")}
		}
		set := func(v bool) { mu.Lock(); direct = v; mu.Unlock() }
		w := newWatch(Options{
			Store: b, Probes: []Probe{probe}, Duty: []Contact{{Kind: channels.SMS}, {Kind: channels.WebPush}}, Enlist: enlist(nil, []int64{4, 9}),
		})
		defer run(t, w)()
		time.Sleep(time.Minute)
		b.fails(errors.New("disk full"))
		set(true)
		time.Sleep(time.Minute)
		if b.count() != 0 {
			t.Fatal("the fault did not happen: the ledger took the page")
		}
		b.fails(nil)
		time.Sleep(5 * time.Second)
		if b.count() != 1 {
			t.Fatalf("%d pages, want 1", b.count())
		}
		r, rev := b.asked[0], b.issued[0]
		if rev.Status != alert.Actual || rev.Scope != alert.Private || rev.Infos[0].Headline != "Hệ thống Loa có sự cố: Redis không trả lời" {
			t.Errorf("the page is %+v", rev)
		}
		if !r.Roster || r.Priority != delivery.P0 || !cmp.Equal(r.People, []int64{4, 9}) || len(r.Areas) != 0 {
			t.Errorf("the page goes by %+v", r)
		}
		time.Sleep(5 * time.Minute)
		set(false)
		time.Sleep(5 * time.Minute)
		if b.count() != 2 || b.issued[1].Infos[0].Headline != "Hệ thống Loa đã hết sự cố: Redis không trả lời" {
			t.Errorf("%d messages, want the page and its end", b.count())
		}
	})
}

func TestNoteFades(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatch(Options{})
		w.Note(Fault("content/sms", ContentRefused, "A provider refuses a text."))
		w.Look(t.Context())
		if x := stateOf(t, w, "content/sms"); x.State != Bad || x.Remedy == "" {
			t.Errorf("noted: %+v", x)
		}
		time.Sleep(noted)
		for _, x := range w.Look(t.Context()) {
			if x.Part == "content/sms" {
				t.Errorf("ten minutes later: %+v", x)
			}
		}
	})
}

// TestDeadProbe: a probe that hangs holds nothing back for longer than its bound.
func TestDeadProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatch(Options{Probes: []Probe{
			func(ctx context.Context) []Part {
				<-ctx.Done()
				return []Part{Fault("ledger", LedgerReadOnly, "The ledger does not answer.")}
			},
			func(context.Context) []Part { return []Part{Fine("disk")} },
		}})
		began := time.Now()
		w.Look(t.Context())
		if took := time.Since(began); took != probeBound {
			t.Errorf("a look took %s", took)
		}
		if stateOf(t, w, "disk").State != OK || stateOf(t, w, "ledger").State != Bad {
			t.Errorf("parts: %v", w.Parts())
		}
	})
}

func TestClockProbe(t *testing.T) {
	t.Parallel()
	wall, mono := noon, noon
	p := ClockProbe(func() time.Time { return wall }, func() time.Time { return mono })
	for i, c := range []struct {
		wall, mono time.Duration
		want       State
	}{
		{0, 0, OK}, {2 * time.Second, 2 * time.Second, OK}, {4 * time.Second, 2 * time.Second, OK},
		{2*time.Second + 2*time.Second + time.Millisecond, 2 * time.Second, Bad}, {2 * time.Second, 2 * time.Second, Bad},
		{noted, noted, OK}, {-time.Hour, time.Second, Bad},
	} {
		wall, mono = wall.Add(c.wall), mono.Add(c.mono)
		if x := p(t.Context())[0]; x.State != c.want {
			t.Errorf("look %d: %+v, want %s", i, x, c.want)
		}
	}
}

func TestDiskProbe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		free float64
		err  error
		want State
	}{{0.5, nil, OK}, {leastFree, nil, OK}, {0.049, nil, Bad}, {0, nil, Bad}, {0, errors.New("gone"), Bad}} {
		if x := DiskProbe(func() (float64, error) { return c.free, c.err })(t.Context())[0]; x.State != c.want {
			t.Errorf("free %v, %v: %+v", c.free, c.err, x)
		}
	}
	if f, err := Free(t.TempDir()); err != nil || f <= 0 || f > 1 {
		t.Errorf("this disk: %v, %v", f, err)
	}
}

// receiver is a webhook that can be told to fail.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	fail  int
	calls []*http.Request
	got   []Notification
	ring  chan struct{}
}

func newReceiver(t *testing.T, fail int) *receiver {
	t.Helper()
	r := &receiver{fail: fail, ring: make(chan struct{}, 64)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		defer func() { r.ring <- struct{}{} }()
		r.calls = append(r.calls, req)
		if r.fail > 0 {
			r.fail--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var n Notification
		dec := json.NewDecoder(req.Body)
		dec.DisallowUnknownFields()
		if req.Method == http.MethodPost && req.ContentLength > 0 {
			if err := dec.Decode(&n); err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			r.got = append(r.got, n)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) wait(t *testing.T, calls int) {
	t.Helper()
	for range calls {
		select {
		case <-r.ring:
		case <-time.After(20 * time.Second):
			t.Fatal("no call came")
		}
	}
}

// TestWebhookOverSocket: a receiver that fails is asked again, is shown, and
// gets the notification in Alertmanager's format.
func TestWebhookOverSocket(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, 1)
	w := newWatch(Options{
		Origin: r.URL, Webhooks: []Webhook{{URL: channels.Secret(r.URL + "/hook/secret"), Token: "bearer-secret"}},
		Probes: []Probe{func(context.Context) []Part {
			return []Part{Fault("ledger", LedgerReadOnly, "The ledger takes no commit.")}
		}},
	})
	stop := run(t, w)
	r.wait(t, 2)
	stop()
	if len(r.got) != 1 || r.calls[0].Header.Get("Authorization") != "Bearer bearer-secret" || r.calls[0].URL.Path != "/hook/secret" {
		t.Fatalf("%d notifications in %d calls", len(r.got), len(r.calls))
	}
	n := r.got[0]
	if n.Version != "4" || n.Status != "firing" || len(n.Alerts) != 1 || n.GroupKey != `{}:{alertname="LoaLedgerUnwritable", instance="tram-1"}` {
		t.Errorf("notification: %+v", n)
	}
	a := n.Alerts[0]
	want := map[string]string{"alertname": "LoaLedgerUnwritable", "cause": "ledger_unwritable", "severity": "critical", "instance": "tram-1", "deployment": "drill", "job": "loa", "part": "ledger"}
	if d := cmp.Diff(want, a.Labels); d != "" {
		t.Error(d)
	}
	if a.Annotations["description"] != "The ledger takes no commit." || a.Annotations["remedy"] == "" || a.StartsAt.IsZero() || !a.EndsAt.IsZero() || len(a.Fingerprint) != 16 {
		t.Errorf("alert: %+v", a)
	}
	if v := testutil.ToFloat64(w.m.webhooks.WithLabelValues("failed")); v != 1 {
		t.Errorf("failed calls: %v", v)
	}
}

func TestFailingWebhookIsShown(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, 1000)
	w := newWatch(Options{Origin: r.URL, Webhooks: []Webhook{{URL: channels.Secret(r.URL + "/hook/secret")}}})
	h := w.hooks[0]
	h.told(t.Context(), h.call(t.Context(), &Notification{}), noon)
	if x := h.part(); x.State != Bad || !x.Since.Equal(noon) || !strings.Contains(x.Text, "503") || strings.Contains(x.Text, "secret") {
		t.Errorf("shown: %+v", x)
	}
	r.mu.Lock()
	r.fail = 0
	r.mu.Unlock()
	h.told(t.Context(), h.call(t.Context(), &Notification{}), noon)
	if x := h.part(); x.State != OK {
		t.Errorf("after an answer: %+v", x)
	}
}

// TestOutwardCallsStayOut: only the origin of a drill may be on this machine, a
// redirect is not followed, and no error quotes the URL.
func TestOutwardCallsStayOut(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, 0)
	moved := httptest.NewServer(http.RedirectHandler(r.URL+"/inside", http.StatusTemporaryRedirect))
	t.Cleanup(moved.Close)
	for name, c := range map[string]struct {
		origin, url, want string
	}{
		"the origin":             {r.URL, r.URL + "/x", ""},
		"no origin":              {"", r.URL + "/x", errPlace.Error()},
		"another port":           {moved.URL, r.URL + "/x", errPlace.Error()},
		"cloud metadata":         {r.URL, "http://169.254.169.254/latest/meta-data", errPlace.Error()},
		"IPv4 in IPv6":           {"", "http://[::ffff:127.0.0.1]:1/hush-hush", errPlace.Error()},
		"a redirect to the host": {moved.URL, moved.URL + "/hush-hush", "it answers 307"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := do(newClient(c.origin), req); err != nil {
			got = err.Error()
		}
		if c.want == "" && got != "" || !strings.Contains(got, c.want) || strings.Contains(got, "hush") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestHeartbeat beats while everything vital is well, and only then.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, 0)
	state := OK
	w := newWatch(Options{
		Origin: r.URL, Heartbeat: Heartbeat{URL: channels.Secret(r.URL + "/beat"), Method: http.MethodGet},
		Probes: []Probe{func(context.Context) []Part {
			return []Part{{Part: "ledger", State: state, Cause: LedgerReadOnly, Vital: true}, Fault("redis", DirectMode, "Redis does not answer.")}
		}},
	})
	beats := func() (sent, withheld float64) {
		return testutil.ToFloat64(w.m.beats.WithLabelValues("sent")), testutil.ToFloat64(w.m.beats.WithLabelValues("withheld"))
	}
	at := time.Now
	w.pulse.beat(t.Context(), at)
	if s, h := beats(); s != 0 || h != 1 {
		t.Errorf("before the first look: %v sent, %v withheld", s, h)
	}
	w.Look(t.Context())
	w.pulse.beat(t.Context(), at)
	if s, h := beats(); s != 1 || h != 1 {
		t.Errorf("with Redis away, which is not vital: %v sent, %v withheld", s, h)
	}
	w.pulse.beat(t.Context(), func() time.Time { return time.Now().Add(stale + time.Second) })
	if s, h := beats(); s != 1 || h != 2 {
		t.Errorf("when nobody looks any more: %v sent, %v withheld", s, h)
	}
	state = Bad
	w.Look(t.Context())
	w.pulse.beat(t.Context(), at)
	if s, h := beats(); s != 1 || h != 3 {
		t.Errorf("with the ledger away: %v sent, %v withheld", s, h)
	}
	if r.wait(t, 1); len(r.calls) != 1 || r.calls[0].Method != http.MethodGet {
		t.Errorf("%d calls arrived", len(r.calls))
	}
	r.Close()
	state = OK
	w.Look(t.Context())
	w.pulse.beat(t.Context(), at)
	if x := w.pulse.part(); x.State != Bad || strings.Contains(x.Text, "/beat") {
		t.Errorf("with nobody to take it: %+v", x)
	}
}

func TestNoHeartbeatIsAWarning(t *testing.T) {
	t.Parallel()
	w := newWatch(Options{})
	w.Look(t.Context())
	if x := stateOf(t, w, "heartbeat"); x.State != Warn || x.Remedy == "" {
		t.Errorf("%+v", x)
	}
}

// TestDutySMS: whatever happened, its SMS is one part of plain letters.
func TestDutySMS(t *testing.T) {
	t.Parallel()
	for _, c := range Causes() {
		for _, over := range []bool{false, true} {
			text, ok := SMS(dutyRevision("loa.example.vn", strings.Repeat("A", 25), Page{Cause: c, Resolved: over, At: noon}))
			if !ok || len(text) > 160 || !strings.Contains(text, " 19h00 07/09: he thong Loa ") || !strings.Contains(text, catalogue[c].plain) {
				t.Errorf("%s: %d characters: %q", c, len(text), text)
			}
			for _, r := range text {
				if r > 0x7e {
					t.Errorf("%s: %q has marks", c, text)
					break
				}
			}
		}
	}
	if _, ok := SMS(canaryRevision("loa.example.vn", channels.SMS, noon, time.Hour)); ok {
		t.Error("a test message is no page")
	}
}
