package gateway

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"loa/channels"
	"loa/gateway/delivery"
	"loa/gateway/web/public"
)

const (
	probeKeep  = time.Second     // however often it is asked, the ledger is probed so often
	probeBound = 2 * time.Second // a ledger that takes longer counts as away
)

// Readiness is what /readyz answers. Ready is false, with status 503, when the
// ledger cannot be read and written to: no alert could be approved, stopped or
// sent then. All else that is wrong is listed as degraded, with status 200: the
// gateway does its work as well as it can, and taking it out of service would
// help nobody.
type Readiness struct {
	Ready    bool       `json:"ready"`
	Mode     string     `json:"mode"` // queue, direct or ledger: where work is found
	Degraded []Degraded `json:"degraded"`
}

// Degraded is a part that does not do its work.
type Degraded struct {
	Part string `json:"part"` // ledger, redis, or a channel with its provider: "sms/twilio"
	Why  string `json:"why"`
}

// ledgerProbe remembers for a moment whether the ledger could be written to.
type ledgerProbe struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

func (g *Gateway) probed(ctx context.Context) error {
	p := &g.probe
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if !p.at.IsZero() && now.Sub(p.at) < probeKeep {
		return p.err
	}
	// The answer is for others too: one who leaves must not decide it.
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeBound)
	defer cancel()
	p.err = g.ledger.Probe(bound)
	if p.err != nil {
		g.log.ErrorContext(ctx, "the ledger cannot be written to", "err", p.err)
	}
	p.at = time.Now()
	return p.err
}

// Readiness says how the gateway does.
func (g *Gateway) Readiness(ctx context.Context) Readiness {
	h := g.Engine.Health()
	r := Readiness{Ready: true, Mode: string(h.Mode), Degraded: []Degraded{}}
	add := func(part, why string) { r.Degraded = append(r.Degraded, Degraded{part, why}) }
	if g.probed(ctx) != nil {
		r.Ready = false
		add("ledger", "it cannot be written to")
		return r
	}
	if g.guard.held.Load() {
		add("hold", "the ledger is an older copy, and nothing is sent until two people release it")
	}
	if h.Mode == delivery.ModeDirect {
		add("redis", "it does not answer; work is found in the ledger")
	}
	for _, d := range h.Down {
		add(string(d.Kind)+"/"+d.Provider, downWords[whyDown(d)])
	}
	kinds, err := g.unheardNow(ctx)
	if err != nil {
		r.Ready = false
		add("ledger", "it cannot be read")
		return r
	}
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		add(string(k), "people in the area of an alert in force are subscribed on this channel, which is not configured")
	}
	return r
}

var downWords = map[public.Why]string{
	public.Silent:  "the provider does not answer",
	public.Login:   "the provider refuses the login",
	public.Refused: "the provider refuses to serve this account",
}

// refusedLogins are the codes with which providers refuse credentials: HTTP's,
// and Twilio's own.
var refusedLogins = []string{"401", "403", "20003"}

// whyDown says in what way a provider is down.
func whyDown(d delivery.Down) public.Why {
	switch {
	case d.Fault != channels.FaultProvider:
		return public.Silent
	case slices.Contains(refusedLogins, d.Code):
		return public.Login
	default:
		return public.Refused
	}
}

// healthz says that the process answers.
func (g *Gateway) healthz(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("ok\n"))
}

// readyz says whether the gateway can do its work, and what does not do its own.
func (g *Gateway) readyz(w http.ResponseWriter, r *http.Request) {
	out := g.Readiness(r.Context())
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if !out.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(out) // a probe that went away is no fault
}
