package delivery

import (
	"sync"
	"sync/atomic"
	"time"

	"loa/channels"
	"loa/gateway/alert"
)

// ProviderEvent says that nothing is sent through a provider any more, or that
// it is used again. With Prefix it is about telephone numbers that begin so, and
// with Alert about that alert's text, which the provider keeps refusing; a text
// is tried again after a while, without an event.
type ProviderEvent struct {
	Kind     channels.Kind
	Provider string
	Prefix   string
	Alert    alert.ID
	Down     bool
	Fault    channels.Fault // of the latest answer that counted
	Code     string         // the provider's own
	Since    time.Time
}

// Refusals of a text that stop it: more than a twentieth of the latest answers.
const (
	textAnswers  = 200
	textRefusals = textAnswers/20 + 1
	textOpen     = 30 * time.Second // the stop, doubled up to textMost
	textMost     = 5 * time.Minute
	textsKept    = 1024
	batchesKept  = 8192
)

// answers counts refusals among the latest answers.
type answers struct {
	total atomic.Uint64
	at    [textRefusals]uint64
	n     int
}

// refused reports whether too many of the latest answers were refusals.
func (w *answers) refused(total uint64) bool {
	w.at[w.n%textRefusals] = total
	w.n++
	return w.n >= textRefusals && total-w.at[w.n%textRefusals] < textAnswers
}

// text is what the providers of a lane think of one alert's text.
type text struct {
	alert alert.ID
	stops atomic.Int32 // of by: once stopped

	mu   sync.Mutex
	by   []opinion // by provider
	told map[refusal]bool
}

// refusal is a text refused in a batch with a code.
type refusal struct {
	batch BatchID
	code  string
}

// tells reports whether the refusal is news.
func (t *text) tells(b BatchID, code string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.told[refusal{b, code}] {
		return false
	}
	if t.told == nil {
		t.told = make(map[refusal]bool)
	}
	t.told[refusal{b, code}] = true
	return true
}

type opinion struct {
	calls, late answers
	until       time.Time
	wait        time.Duration
}

// blocked says how long the text is not sent through the provider.
func (t *text) blocked(p *provider, now time.Time) time.Duration {
	if t.stops.Load() == 0 {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(0, t.by[p.index].until.Sub(now))
}

// heard counts an answer, to a call or in a receipt, and reports whether it
// stops the text.
func (t *text) heard(p *provider, late, refused bool, now time.Time) bool {
	o := &t.by[p.index]
	w := &o.calls
	if late {
		w = &o.late
	}
	total := w.total.Add(1)
	if !refused {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !w.refused(total) || now.Before(o.until) {
		return false
	}
	o.wait = min(max(2*o.wait, textOpen), textMost)
	o.until = now.Add(o.wait)
	o.calls.n, o.late.n = 0, 0
	t.stops.Store(1)
	return true
}

// texts are the texts lately sent on a lane, and the batches they were sent in.
type texts struct {
	mu      sync.Mutex
	of      map[textKey]*text
	batches map[BatchID]*text
}

type textKey struct {
	alert    alert.ID
	revision int
	language string
}

// hold finds the text of a batch that is now held.
func (ts *texts) hold(b *Batch, providers int) *text {
	key := textKey{b.Alert, b.Revision, b.Language}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.of == nil || len(ts.of) >= textsKept {
		ts.of = make(map[textKey]*text)
	}
	if ts.batches == nil || len(ts.batches) >= batchesKept {
		ts.batches = make(map[BatchID]*text)
	}
	t := ts.of[key]
	if t == nil {
		t = &text{alert: b.Alert, by: make([]opinion, providers)}
		ts.of[key] = t
	}
	ts.batches[b.ID] = t
	return t
}

func (ts *texts) sentIn(b BatchID) *text {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.batches[b]
}

// judgeText counts what an answer says of the text. Only a carrier has a filter
// for all its numbers, which more calls would harden: a push service that takes
// no such body says so for its own subscriptions, and the others must not wait.
func (e *Engine) judgeText(l *lane, t *text, p *provider, late bool, err *channels.Error) {
	refused := err != nil && err.Fault == channels.FaultContent
	if l.Kind != channels.SMS || t == nil || err != nil && !refused || !t.heard(p, late, refused, mono()) {
		return
	}
	e.m.textStops.WithLabelValues(string(l.Kind), p.name).Inc()
	e.events.add(ProviderEvent{
		Kind: l.Kind, Provider: p.name, Alert: t.alert, Down: true, Fault: channels.FaultContent, Code: err.Code, Since: e.opt.Now(),
	})
}

// events wait to be told by the poller, so that no call waits for who hears them.
type events struct {
	mu   sync.Mutex
	wait []ProviderEvent
}

func (s *events) add(ev ProviderEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wait = append(s.wait, ev)
}

// tellProviders tells what has changed about the providers since the last time.
func (e *Engine) tellProviders() {
	e.events.mu.Lock()
	evs := e.events.wait
	e.events.wait = nil
	e.events.mu.Unlock()
	wall := e.opt.Now()
	for _, l := range e.lanes {
		for _, p := range l.providers {
			if down := p.breaker.open.Load(); down != p.told {
				if p.told = down; down {
					p.since = wall
				}
				fault, code := p.why()
				evs = append(evs, ProviderEvent{Kind: l.Kind, Provider: p.name, Down: down, Fault: fault, Code: code, Since: p.since})
			}
			for prefix, ev := range p.regions.changed(wall) {
				ev.Kind, ev.Provider, ev.Prefix = l.Kind, p.name, prefix
				evs = append(evs, ev)
			}
		}
	}
	for _, ev := range evs {
		if ev.Down {
			e.opt.Log.Warn("a provider is not used", "lane", ev.Kind, "provider", ev.Provider, "range", ev.Prefix != "", "alert", ev.Alert, "fault", ev.Fault, "code", ev.Code)
		} else {
			e.opt.Log.Info("a provider is used again", "lane", ev.Kind, "provider", ev.Provider, "range", ev.Prefix != "")
		}
		e.opt.OnProvider(ev)
	}
}

// changed lists the ranges whose breaker opened or closed since the last time.
func (r *regions) changed(wall time.Time) map[string]ProviderEvent {
	if r.sick.Load() == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out map[string]ProviderEvent
	for prefix, b := range r.all {
		down := b.open.Load()
		if down == b.told {
			continue
		}
		if b.told = down; down {
			b.since = wall
		}
		b.mu.Lock()
		ev := ProviderEvent{Down: down, Fault: b.fault, Code: b.code, Since: b.since}
		b.mu.Unlock()
		if out == nil {
			out = make(map[string]ProviderEvent)
		}
		out[prefix] = ev
		if !down {
			delete(r.all, prefix)
			r.sick.Add(-1)
		}
	}
	return out
}
