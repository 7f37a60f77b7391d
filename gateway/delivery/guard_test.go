package delivery

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
)

func TestStatusGuard(t *testing.T) {
	for _, c := range []struct {
		name   string
		status channels.Status
		live   bool
		roster bool
		n      int
		sent   bool
	}{
		{"actual to the public", channels.Actual, true, false, 10, true},
		{"exercise to the public", channels.Exercise, true, false, 10, false},
		{"test to the public", channels.Test, true, false, 10, false},
		{"exercise to a roster", channels.Exercise, true, true, 10, true},
		{"test to a roster", channels.Test, true, true, 500, true},
		{"a roster that is too long", channels.Test, true, true, 501, false},
		{"exercise to a stand-in", channels.Exercise, false, false, 10, true},
		{"unset to the public", channels.StatusUnset, true, false, 10, false},
		{"unset to a stand-in", channels.StatusUnset, false, true, 10, false},
		{"a status of the future", channels.Status(9), false, true, 10, false},
	} {
		bubbleRun(t, c.name, func(t *testing.T) {
			b := &book{kind: channels.SMS, name: "standin", live: c.live}
			refused := make(chan error, 10)
			r := newRig(t, func(o *Options) { o.OnRefused = func(err error) { refused <- err } }, smsLane(b))
			r.run()
			x := batch(channels.SMS, 1, c.n)
			x.Status, x.Roster = c.status, c.roster
			r.send(x)
			r.finish(time.Minute)
			if c.sent {
				r.want(channels.Accepted, c.n)
				if len(refused) != 0 || r.metric("refused_total") != 0 {
					t.Error("refused as well")
				}
			} else {
				r.want(channels.Failed, c.n)
				var se *StatusError
				if len(refused) != 1 || !errors.As(<-refused, &se) || se.Batch != 1 || se.Status != c.status {
					t.Errorf("told %v", se)
				}
				if b.count() != 0 || r.metric("refused_total", "sms") != 1 {
					t.Errorf("%d calls, refused_total %v", b.count(), r.metric("refused_total"))
				}
				if rows := r.store.rows(); len(rows) != c.n || rows[0].Code != CodeRefused {
					t.Errorf("%d rows", len(rows))
				}
			}
			r.stop()
		})
	}
}

// hub is a broadcaster that writes down what it was told.
type hub struct {
	live bool
	errs []error

	mu    sync.Mutex
	heard []string
}

func (h *hub) Kind() channels.Kind { return channels.App }
func (h *hub) Live() bool          { return h.live }
func (h *hub) Broadcast(_ context.Context, m channels.Message, areas []string) (channels.Ack, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = append(h.heard, strings.Join(areas, ",")+" "+m.Alert+" "+m.To.String()+m.Ref)
	if n := len(h.heard) - 1; n < len(h.errs) {
		return channels.Ack{}, h.errs[n]
	}
	return channels.Ack{Outcome: channels.Accepted}, nil
}

func TestBroadcast(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := &hub{live: true, errs: []error{fault(channels.FaultTransient, "")}}
		r := newRig(t, nil, Lane{Kind: channels.App, Broadcaster: h, Workers: 2})
		r.addrs.gone[5] = true
		r.run()
		r.send(batch(channels.App, 1, 1000), batch(channels.App, 2001, 300))
		r.finish(time.Minute)
		r.want(channels.Accepted, 1299)
		r.want(channels.Cancelled, 1)
		if d := cmp.Diff([]string{"06655 VN-1 ", "06655 VN-1 ", "06655 VN-1 "}, h.heard); d != "" {
			t.Error(d)
		}
		if got := r.metric("sends_total", "app", "accepted"); got != 1299 {
			t.Errorf("sends_total: %v", got)
		}
		x := batch(channels.App, 5001, 10)
		x.Status = channels.Exercise
		r.send(x)
		r.finish(time.Minute)
		r.want(channels.Failed, 10)
		x = batch(channels.App, 6001, 7) // a roster's phones are not alone in their commune
		x.Status, x.Roster = channels.Exercise, true
		r.send(x)
		r.finish(time.Minute)
		r.want(channels.Failed, 17)
		if len(h.heard) != 3 || r.metric("refused_total", "app") != 2 {
			t.Errorf("an exercise was broadcast to the public: %d broadcasts, refused_total %v", len(h.heard), r.metric("refused_total"))
		}
		r.stop()
	})
}

func TestOptions(t *testing.T) {
	t.Parallel()
	good := func() Options {
		return Options{Store: newModelStore(), Addresses: &modelAddresses{}, RefKey: make([]byte, 16)}
	}
	sms := Provider{Sender: &book{kind: channels.SMS, name: "a"}}
	for _, c := range []struct {
		name, text string
		change     func(*Options)
	}{
		{"store", "Options.Store", func(o *Options) { o.Store = nil }},
		{"addresses", "Options.Addresses", func(o *Options) { o.Addresses = nil }},
		{"key", "Options.RefKey", func(o *Options) { o.RefKey = make([]byte, 15) }},
		{"kind", "Lane.Kind", func(o *Options) { o.Lanes = []Lane{{Kind: "fax"}} }},
		{"no sender", "exactly one", func(o *Options) { o.Lanes = []Lane{{Kind: channels.SMS}} }},
		{"two", "exactly one", func(o *Options) {
			o.Lanes = []Lane{{Kind: channels.App, Broadcaster: &hub{}, Providers: []Provider{sms}}}
		}},
		{"another channel", "another channel", func(o *Options) { o.Lanes = []Lane{{Kind: channels.WebPush, Providers: []Provider{sms}}} }},
		{"window", "at most 256", func(o *Options) {
			o.Lanes = []Lane{{Kind: channels.SMS, Providers: []Provider{sms}, Window: 257}}
		}},
		{"twice", "already", func(o *Options) {
			l := Lane{Kind: channels.SMS, Providers: []Provider{sms}}
			o.Lanes = []Lane{l, l}
		}},
	} {
		o := good()
		c.change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	o := good()
	o.Lanes = []Lane{{Kind: channels.SMS, Providers: []Provider{sms}}}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if l := e.lanes[0]; l.Window != 16 || l.Workers != 8 {
		t.Errorf("defaults %+v", l.Lane)
	}
	o.Registerer = e.opt.Registerer
	if _, err := New(o); err == nil {
		t.Error("metrics registered twice")
	}
}
