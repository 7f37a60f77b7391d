package delivery

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"loa/channels"
	"loa/gateway/alert"
)

// Options is what an Engine is made of. Store, Addresses and RefKey must be
// set; every other zero value means its default.
type Options struct {
	Store     Store
	Addresses Addresses
	Hints     Hints // nil: no queue, workers claim from the ledger
	Rate      Rate  // nil: each node uses its share, limit / Nodes
	Lanes     []Lane
	RefKey    []byte // signs references; at least 16 bytes, the same on all nodes and after a restart
	// OldRefKeys signed references that may still come back.
	OldRefKeys [][]byte
	Node       string // this process, for people to read; default "loa"
	Nodes      int    // processes that share the work; default 1

	Now        func() time.Time
	Jitter     func(n int64) int64 // a random number below n, n above zero; default math/rand/v2
	Log        *slog.Logger
	Registerer prometheus.Registerer

	ResendAfter time.Duration // from a doubt to the one more send, where no provider can be asked; default 60 s
	// LookupAfter is how long after a doubt a provider that can be asked is asked
	// what it took; ascending. One more send can follow the last. Default 20 s and 60 s.
	LookupAfter  []time.Duration
	RetryAfter   time.Duration // from an undelivered receipt to its one retry; default 10 min
	CallTimeout  time.Duration // one call to a provider; default 10 s
	StopWithin   time.Duration // how long Run lets open calls finish; default 5 s
	SweepEvery   time.Duration // default 1 s
	PollEvery    time.Duration // stop flags, priorities, queue health; default 250 ms
	DirectAfter  time.Duration // how long nothing of the queue must have worked before direct mode; default 1 s
	MaxBackOff   time.Duration // default 5 min
	FirstBackOff time.Duration // default 1 s

	// OnContent hears that a provider refuses a text, once per batch and code.
	OnContent func(ContentRefusal)
	// OnRefused hears that the status guard refused a batch: a *StatusError.
	OnRefused func(error)
	// OnProvider hears which providers are down and which are used again, in order.
	OnProvider func(ProviderEvent)
	// OnPoison hears that a recipient was set aside.
	OnPoison func(Poison)
}

// Lane is one channel: its senders in order of preference, or its broadcaster.
type Lane struct {
	Kind        channels.Kind
	Providers   []Provider
	Broadcaster channels.Broadcaster // instead of Providers
	Workers     int                  // default 8
	Window      int                  // calls in flight per worker; default SMS 16, others 64; at most 256
}

// Provider is a sender with its limits.
type Provider struct {
	Sender    channels.Sender
	PerSecond int // calls per second on all nodes together; 0: no limit
	Breaker   Breaker
	Prefixes  []string // E.164 prefixes ("+8496") of numbers that it is preferred for
	Cost      int      // of a part of a message, in any unit that all providers share: the cheaper goes first
}

// Breaker is when a provider counts as down. Zero values mean the defaults.
type Breaker struct {
	Failures int           // ambiguous and transient answers in a row; default 20. A provider fault counts as four
	Open     time.Duration // before the first probe, doubled after each that fails; default 1 s
	MaxOpen  time.Duration // default 10 s
}

// MaxWindow bounds Lane.Window.
const MaxWindow = 256

// prefixForm is a prefix of numbers that is not a number.
var prefixForm = regexp.MustCompile(`^\+[1-9][0-9]{0,6}$`)

// maxRoster is the largest audience of a message that is not Actual.
const maxRoster = 500

// ContentRefusal says that no provider takes a text.
type ContentRefusal struct {
	Batch    BatchID
	Alert    alert.ID // empty if a receipt told it: the batch knows
	Revision int
	Kind     channels.Kind
	Code     string
}

// StatusError says that a batch was refused because of its status: unset, or
// not Actual on a sender that reaches real people without a roster, or on a
// broadcaster that reaches them at all.
type StatusError struct {
	Batch  BatchID
	Alert  alert.ID
	Kind   channels.Kind
	Status channels.Status
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("delivery: batch %d of alert %s: status %s may not be sent on %s", e.Batch, e.Alert, e.Status, e.Kind)
}

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Store == nil:
		return o, errors.New("delivery: Options.Store must be set")
	case o.Addresses == nil:
		return o, errors.New("delivery: Options.Addresses must be set")
	case len(o.RefKey) < 16:
		return o, errors.New("delivery: Options.RefKey must have at least 16 bytes")
	}
	if o.Node == "" {
		o.Node = "loa"
	}
	o.Nodes = max(o.Nodes, 1)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Jitter == nil {
		o.Jitter = rand.Int64N
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.ResendAfter, time.Minute}, {&o.RetryAfter, 10 * time.Minute}, {&o.CallTimeout, 10 * time.Second},
		{&o.StopWithin, 5 * time.Second}, {&o.SweepEvery, time.Second}, {&o.PollEvery, 250 * time.Millisecond},
		{&o.DirectAfter, time.Second}, {&o.MaxBackOff, 5 * time.Minute}, {&o.FirstBackOff, time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if o.OnContent == nil {
		o.OnContent = func(ContentRefusal) {}
	}
	if o.OnRefused == nil {
		o.OnRefused = func(error) {}
	}
	if o.OnProvider == nil {
		o.OnProvider = func(ProviderEvent) {}
	}
	if o.OnPoison == nil {
		o.OnPoison = func(Poison) {}
	}
	if len(o.LookupAfter) == 0 {
		o.LookupAfter = []time.Duration{firstLookup, secondLookup}
	}
	if !slices.IsSorted(o.LookupAfter) || o.LookupAfter[0] <= 0 {
		return o, errors.New("delivery: Options.LookupAfter must be above zero and ascending")
	}
	return o, nil
}

func (l Lane) withDefaults() (Lane, error) {
	if _, err := channels.ParseKind(string(l.Kind)); err != nil {
		return l, fmt.Errorf("delivery: Lane.Kind: %w", err)
	}
	if (l.Broadcaster == nil) == (len(l.Providers) == 0) {
		return l, fmt.Errorf("delivery: lane %s: exactly one of Providers and Broadcaster must be set", l.Kind)
	}
	for i, p := range l.Providers {
		if p.Sender == nil || p.Sender.Kind() != l.Kind {
			return l, fmt.Errorf("delivery: lane %s: Providers[%d]: its sender is of another channel", l.Kind, i)
		}
		for _, q := range l.Providers[:i] {
			if q.Sender.Provider() == p.Sender.Provider() {
				return l, fmt.Errorf("delivery: lane %s: Providers[%d]: there is another called %s", l.Kind, i, p.Sender.Provider())
			}
		}
		for _, x := range p.Prefixes {
			if !prefixForm.MatchString(x) {
				return l, fmt.Errorf("delivery: lane %s: Providers[%d]: prefix %q: must be + and one to seven digits", l.Kind, i, x)
			}
		}
	}
	if l.Workers <= 0 {
		l.Workers = 8
	}
	if l.Window <= 0 {
		l.Window = 64
		if l.Kind == channels.SMS {
			l.Window = 16
		}
	}
	if l.Window > MaxWindow {
		return l, fmt.Errorf("delivery: lane %s: Window %d: at most %d", l.Kind, l.Window, MaxWindow)
	}
	return l, nil
}

func (b Breaker) withDefaults() Breaker {
	if b.Failures <= 0 {
		b.Failures = 20
	}
	if b.Open <= 0 {
		b.Open = time.Second
	}
	if b.MaxOpen <= 0 {
		b.MaxOpen = 10 * time.Second
	}
	b.MaxOpen = max(b.MaxOpen, b.Open)
	return b
}
