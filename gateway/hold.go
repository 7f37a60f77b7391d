package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"loa/channels"
	"loa/gateway/account"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/ledger"
	"loa/gateway/watch"
	"loa/gateway/web/api"
)

// HoldStatus is what "GET /api/v1/hold" on the socket answers: whether nothing
// is sent, why, and what a release would send.
type HoldStatus struct {
	Held       bool          `json:"held"`
	Since      *time.Time    `json:"since,omitempty"`
	Text       string        `json:"text,omitempty"`
	Generation int64         `json:"generation"`
	Seen       int64         `json:"seen,omitempty"`  // by a mirror
	First      string        `json:"first,omitempty"` // person whose release was the first
	Waiting    []HoldWaiting `json:"waiting"`
	// ReconcileFor is how many seconds a reconciliation takes at least: everybody
	// about whom a provider can be asked, at the pace of lookups.
	ReconcileFor int `json:"reconcileSeconds"`
}

// HoldWaiting is what a release would send of one alert on one channel. An alert
// that is not cut yet has no numbers.
type HoldWaiting struct {
	Alert    alert.ID      `json:"alert"`
	Code     string        `json:"code"` // its check code
	Approved time.Time     `json:"approved"`
	Channel  channels.Kind `json:"channel,omitempty"`
	Pending  int           `json:"pending"`
	Doubt    int           `json:"doubt"`   // maybe sent before
	CanAsk   bool          `json:"canAsk"`  // a provider can tell what it took
	Cutting  bool          `json:"cutting"` // more recipients will come
	communes []area.Code
}

// ReleaseAnswer is what a release answers.
type ReleaseAnswer struct {
	Lifted bool `json:"lifted"`
}

// ReconcileAnswer is one step of a reconciliation. Next is to be handed back
// with the next step; it is empty at the end.
type ReconcileAnswer struct {
	delivery.Recalled

	Next string `json:"next"`
}

// reconcileMost is how many recipients one step asks about, reconcileFor how
// long it takes at most.
const (
	reconcileMost = 100
	reconcileFor  = 20 * time.Second
)

// holdHandlers adds the acts on a hold. They are for the owner of the machine;
// a release needs a person's token besides.
func (g *Gateway) holdHandlers(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/hold", answerWith(func(r *http.Request) (any, error) { return g.HoldStatus(r.Context()) }))
	mux.HandleFunc("POST /api/v1/hold/release", answerWith(func(r *http.Request) (any, error) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		lifted, err := g.Release(r.Context(), channels.Secret(token))
		return ReleaseAnswer{lifted}, err
	}))
	mux.HandleFunc("POST /api/v1/hold/reconcile", answerWith(func(r *http.Request) (any, error) {
		return g.Reconcile(r.Context(), r.URL.Query().Get("from"))
	}))
}

// answerWith serves what f returns, or its error as a problem.
func answerWith(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		doc, err := f(r)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if err != nil {
			status := http.StatusInternalServerError
			switch {
			case errors.Is(err, account.ErrNobody):
				status = http.StatusUnauthorized
			case errors.Is(err, desk.ErrTerritory):
				status = http.StatusForbidden
			case errors.Is(err, ledger.ErrNotHeld), errors.Is(err, ledger.ErrSamePerson), errors.Is(err, ErrPostgres):
				status = http.StatusConflict
			}
			doc = api.Problem{Type: api.ProblemPrefix + "hold", Title: "It is not done", Status: status, Detail: err.Error()}
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(status)
		}
		_ = json.NewEncoder(w).Encode(doc) // whoever asked may have gone
	}
}

// HoldStatus tells of the hold and of what would be sent without it.
func (g *Gateway) HoldStatus(ctx context.Context) (HoldStatus, error) {
	s, err := g.ledger.Guard(ctx)
	if err != nil {
		return HoldStatus{}, err
	}
	out := HoldStatus{Held: !s.Held.IsZero(), Generation: s.Generation, Seen: s.Seen, Waiting: []HoldWaiting{}}
	if out.Held {
		out.Since, out.Text = &s.Held, holdText(s)
	}
	if s.First != "" && g.now().Sub(s.FirstAt) <= ledger.ReleaseWithin {
		out.First = s.First
	}
	if out.Waiting, err = g.waiting(ctx); err != nil {
		return out, err
	}
	seconds := 0.0
	for _, w := range out.Waiting {
		if w.CanAsk {
			seconds += float64(w.Pending+w.Doubt) / g.Engine.AskPace(w.Channel)
		}
	}
	out.ReconcileFor = int(math.Ceil(seconds))
	return out, nil
}

// waiting lists what would be sent, with the communes of its alert.
func (g *Gateway) waiting(ctx context.Context) ([]HoldWaiting, error) {
	now := g.now()
	rows, err := g.ledger.Waiting(ctx, now)
	if err != nil {
		return nil, err
	}
	alive, err := g.ledger.InForce(ctx, now)
	if err != nil {
		return nil, err
	}
	out := []HoldWaiting{}
	for _, f := range alive {
		c, err := g.ledger.Desk().Case(ctx, f.Alert)
		if err != nil {
			return nil, err
		}
		if watch.Own(c.Submission.Revision) {
			continue // to canaries and people on duty
		}
		cutting, err := g.cutting(ctx, f.Alert)
		if err != nil {
			return nil, err
		}
		of := HoldWaiting{Alert: f.Alert, Code: c.Submission.Revision.Code, Approved: c.ApprovedAt, Cutting: cutting, communes: c.Submission.Communes}
		n := len(out)
		for _, r := range rows {
			if r.Alert == f.Alert {
				of.Channel, of.Pending, of.Doubt, of.CanAsk = r.Kind, r.Pending, r.Sending+r.Ambiguous, g.Engine.CanAsk(r.Kind)
				out = append(out, of)
			}
		}
		if cutting && len(out) == n {
			out = append(out, of)
		}
	}
	return out, nil
}

// Release records that the person wants the hold to end; the second person's
// ends it. Each must have authority over every commune of what would be sent.
func (g *Gateway) Release(ctx context.Context, token channels.Secret) (lifted bool, err error) {
	id, _, territory, err := g.Account.Person(ctx, token)
	if err != nil {
		return false, err
	}
	all, err := g.waiting(ctx)
	if err != nil {
		return false, err
	}
	for _, w := range all {
		if err := g.holds(territory, w.communes); err != nil {
			return false, fmt.Errorf("alert %s would be sent: %w", w.Alert, err)
		}
	}
	s, err := g.ledger.Guard(ctx)
	if err != nil {
		return false, err
	}
	lifted, err = g.ledger.Release(ctx, id, g.guard.seen(ctx, s))
	if err != nil {
		return false, err
	}
	g.log.WarnContext(ctx, "a person releases the hold", "person", id, "lifted", lifted)
	return lifted, nil
}

// holds refuses a territory that lacks one of the communes.
func (g *Gateway) holds(territory area.Code, communes []area.Code) error {
	if territory == account.Nation {
		return nil
	}
	own, err := g.Areas.Expand([]area.Code{territory})
	if err != nil {
		return fmt.Errorf("%w: %w", desk.ErrTerritory, err)
	}
	for _, c := range communes {
		if _, found := slices.BinarySearch(own, c); !found {
			return fmt.Errorf("%w: commune %s, territory %s", desk.ErrTerritory, c, territory)
		}
	}
	return nil
}

// Reconcile makes one step: it asks the providers that can be asked whether they
// took the messages of recipients whom the ledger believes pending or in doubt,
// and records those that they did. from is empty or the Next of the step before.
func (g *Gateway) Reconcile(ctx context.Context, from string) (ReconcileAnswer, error) {
	var out ReconcileAnswer
	at, batch, index := 0, delivery.BatchID(0), 0
	if from != "" {
		if n, err := fmt.Sscanf(from, "%d.%d.%d", &at, &batch, &index); n != 3 || err != nil {
			return out, fmt.Errorf("from: not the next of an earlier step")
		}
	}
	bound, cancel := context.WithTimeout(ctx, reconcileFor)
	defer cancel()
	for kinds := channels.AllKinds(); at >= 0 && at < len(kinds); at, batch, index = at+1, 0, 0 {
		if !g.Engine.CanAsk(kinds[at]) {
			continue
		}
		for {
			b, err := g.ledger.Unsent(ctx, g.now(), kinds[at], batch)
			if err != nil {
				return out, err
			}
			if b == nil {
				break
			}
			if b.ID != batch+1 {
				index = 0 // the one that was begun is done
			}
			c, err := g.ledger.Desk().Case(ctx, b.Alert)
			if err != nil {
				return out, err
			}
			sum, next, err := g.Engine.Recall(bound, *b, index, c.ApprovedAt.Add(-time.Minute), reconcileMost-out.Asked)
			out.Add(sum)
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return out, err
			}
			if next < len(b.Marks) || out.Asked >= reconcileMost || err != nil {
				out.Next = fmt.Sprintf("%d.%d.%d", at, b.ID-1, next)
				return out, nil
			}
			batch, index = b.ID, 0
		}
	}
	return out, nil
}
