package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/audit"
	"loa/gateway/config"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/watch"
)

// openWatch makes the self-watch. What it is told by other rooms before Run is
// lost, for nothing happens then.
func (g *Gateway) openWatch(context.Context) error {
	c := g.cfg.Watch
	o := watch.Options{
		Store: watchStore{g}, Wake: g.stored, Progress: g.Engine.Progress, Enlist: g.enlist,
		Heartbeat: watch.Heartbeat{URL: c.Heartbeat.URL, Method: c.Heartbeat.Method, Every: c.Heartbeat.Every},
		Origin:    c.Origin, Sender: g.cfg.Agency.Sender, Agency: plainAgency(g.cfg.Agency), Instance: nodeName(), Deployment: string(g.cfg.Deployment), External: g.cfg.Public,
		Now: g.now, Log: g.log, Metrics: g.Metrics,
	}
	for i, x := range c.Canaries {
		if err := g.configured(fmt.Sprintf("watch.canaries[%d].channel", i), x.Channel); err != nil {
			return err
		}
		o.Canaries = append(o.Canaries, watch.Canary{Kind: x.Channel, Every: x.Period(), Proof: x.Proven()})
	}
	for i, x := range c.Duty {
		if err := g.configured(fmt.Sprintf("watch.duty[%d].channel", i), x.Channel); err != nil {
			return err
		}
		o.Duty = append(o.Duty, watch.Contact{Kind: x.Channel})
	}
	for _, x := range c.Webhooks {
		o.Webhooks = append(o.Webhooks, watch.Webhook{URL: x.URL, Token: x.Token})
	}
	o.Probes = slices.Concat(g.probes, []watch.Probe{
		g.probeProviders, g.probeQueue, g.probeBacklog(), watch.Every(ledgerEvery, g.now, g.probeLedger),
		watch.ClockProbe(g.clock.wall, time.Now), watch.DiskProbe(func() (float64, error) { return watch.Free(g.cfg.Data) }),
	})
	for _, d := range g.drivers {
		c, ok := d.value.(channels.Checker)
		if p, named := d.value.(interface{ Provider() string }); ok && named {
			o.Logins = append(o.Logins, watch.Login{Part: providerPart(d.kind, p.Provider()), Provider: p.Provider(), Check: c.Check})
		}
	}
	g.watcher = watch.New(o)
	return nil
}

// plainAgency is the short name without marks, as the SMS of a page has it.
func plainAgency(a config.Agency) string {
	if a.Plain != "" {
		return a.Plain
	}
	return a.ShortEN
}

// configured refuses a channel that no driver serves.
func (g *Gateway) configured(key string, k channels.Kind) error {
	if slices.ContainsFunc(g.drivers, func(o opened) bool { return o.kind == k }) {
		return nil
	}
	return fmt.Errorf("%s%s: no configured channel is %s", g.cfg.Where(key), key, k)
}

// note tells the self-watch of something that happened once.
func (g *Gateway) note(x watch.Part) {
	if g.watcher != nil {
		g.watcher.Note(x)
	}
}

// requestRefused hears of requests, or communes of one, that will not be sent.
func (g *Gateway) requestRefused(r dispatch.Refusal) {
	text := fmt.Sprintf("A request of alert %s was refused whole; nothing of it is sent.", r.Alert)
	if r.Recipients > 0 {
		text = fmt.Sprintf("Alert %s has no text that can go out on %s in commune %s: %d people get nothing there.", r.Alert, r.Cell.Kind, r.Cell.Commune, r.Recipients)
	}
	g.note(watch.Fault("dispatch/"+string(r.Alert), watch.DispatchRefused, text))
}

// batchRefused hears of batches that the status guard refused.
func (g *Gateway) batchRefused(err error) {
	if s, ok := errors.AsType[*delivery.StatusError](err); ok {
		g.keepNotice(s.Batch, "status", s.Error())
		text := fmt.Sprintf("A %s message of alert %s was kept from real people on %s.", s.Status, s.Alert, s.Kind)
		g.note(watch.Fault("dispatch/"+string(s.Alert), watch.DispatchRefused, text))
	}
}

// noteContent tells of a text that a provider takes from nobody.
func (g *Gateway) noteContent(r delivery.ContentRefusal) {
	g.note(watch.Fault("content/"+string(r.Kind), watch.ContentRefused, fmt.Sprintf("A provider of %s refuses the text of an alert (code %s).", r.Kind, r.Code)))
}

// notePoison tells of a recipient that was set aside.
func (g *Gateway) notePoison(p delivery.Poison) {
	g.note(watch.Fault("poison/"+string(p.Kind), watch.Poison, fmt.Sprintf("Recipient %d of batch %d of alert %s was set aside: what is done for it crashes.", p.Index, p.Batch, p.Alert)))
}

// noteProvider tells of a provider that is closed to some numbers or to one
// text; one that is down as a whole is seen by its probe.
func (g *Gateway) noteProvider(e delivery.ProviderEvent) {
	name := providerPart(e.Kind, e.Provider)
	switch {
	case !e.Down:
	case e.Alert != "":
		g.note(watch.Fault(name+"/text", watch.ContentRefused, fmt.Sprintf("%s keeps refusing the text of alert %s (code %s).", e.Provider, e.Alert, e.Code)))
	case e.Prefix != "":
		g.note(watch.Fault(name+"/route", watch.BreakerOpen, fmt.Sprintf("%s takes nothing for numbers that begin with %s (code %s).", e.Provider, e.Prefix, e.Code)))
	}
}

// enlist puts canaries and people on duty into their cells. An address that is
// there already keeps its endpoint.
func (g *Gateway) enlist(ctx context.Context) (canaries, duty []int64, err error) {
	c := g.cfg.Watch
	add := func(cell area.Code, k channels.Kind, to channels.Secret) (int64, error) {
		if to == "" {
			to = nobody
		}
		ids, err := g.Audience.Add(ctx, g.now(), []audience.Endpoint{{
			Kind: k, Commune: cell, Language: "vi", Basis: audience.Duty, Roster: true, Address: channels.Address(to.Reveal()),
		}})
		if err != nil {
			return 0, err
		}
		return ids[0], nil
	}
	for i, x := range c.Canaries {
		id, err := add(watch.CanaryCell, x.Channel, x.To)
		if err != nil {
			return nil, nil, fmt.Errorf("watch.canaries[%d]: %w", i, err)
		}
		canaries = append(canaries, id)
	}
	for i, x := range c.Duty {
		id, err := add(watch.DutyCell, x.Channel, x.To)
		if err != nil {
			return nil, nil, fmt.Errorf("watch.duty[%d]: %w", i, err)
		}
		duty = append(duty, id)
	}
	return canaries, duty, nil
}

// nobody is the install of an app canary that was given none: a key that
// nobody can sign with.
var nobody = func() channels.Secret {
	sum := sha256.Sum256([]byte("loa canary"))
	return channels.Secret(base64.RawURLEncoding.EncodeToString(sum[:]))
}()

// health serves how every part is, to the owner of the machine.
func (g *Gateway) health(w http.ResponseWriter, r *http.Request) {
	parts := g.watcher.Parts()
	if len(parts) == 0 {
		parts = g.watcher.Look(r.Context())
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(Health{Parts: parts})
}

// Health is what "GET /health" on the socket answers.
type Health struct {
	Parts []watch.Part `json:"parts"`
}

// shown hides what the self-watch sends from those who list alerts.
func shown(list func(context.Context, []alert.State, int) ([]desk.Case, error)) func(context.Context, []alert.State, int) ([]desk.Case, error) {
	return func(ctx context.Context, states []alert.State, limit int) ([]desk.Case, error) {
		cases, err := list(ctx, states, limit)
		return slices.DeleteFunc(cases, func(c desk.Case) bool { return watch.Own(c.Submission.Revision) }), err
	}
}

// watchStore is the ledger as the self-watch sees it.
type watchStore struct{ g *Gateway }

// Issue makes the revision live, in place of the one before it.
func (s watchStore) Issue(ctx context.Context, rev *alert.Revision, r dispatch.Request) (bool, error) {
	store, now := s.g.ledger.Desk(), s.g.now()
	c := desk.Case{
		ID: rev.Alert, State: alert.Approved, CreatedAt: now, ApprovedAt: now,
		Submission: desk.Submission{Revision: rev, Communes: rev.Targets(), Kinds: r.Kinds, Cause: r.Cause},
	}
	rec := audit.Record{At: now, Actor: "system", Act: "watch.issue", Object: "alert/" + string(rev.Alert), Detail: fmt.Sprintf(`{"revision":%d}`, rev.Number)}
	old, err := store.Case(ctx, rev.Alert)
	if errors.Is(err, desk.ErrNotFound) {
		draft := desk.Case{ID: rev.Alert, State: alert.Drafted, CreatedAt: now}
		if err := store.Create(ctx, draft, rec); err != nil && !errors.Is(err, desk.ErrConflict) {
			return false, err
		}
		old, err = store.Case(ctx, rev.Alert)
	}
	if err != nil {
		return false, err
	}
	if before := old.Submission.Revision; before != nil && before.Number >= rev.Number {
		return false, nil
	}
	c.CreatedAt = old.CreatedAt
	err = store.Apply(ctx, desk.Change{Case: c, From: old.State, Records: []audit.Record{rec}, Requests: []dispatch.Request{r}})
	return err == nil, err
}

// Outcomes sums what has come of one of our revisions.
func (s watchStore) Outcomes(ctx context.Context, id alert.ID, revision int) (out watch.Outcomes, err error) {
	cells, err := s.g.Coverage.Cells(ctx, id, revision)
	for _, c := range cells {
		for o, n := range c.Counts {
			out[o] += n
		}
	}
	return out, err
}

// Prune forgets old revisions.
func (s watchStore) Prune(ctx context.Context, id alert.ID, below int) error {
	return s.g.ledger.Prune(ctx, id, below, func(n int) string { return watch.RequestKey(id, n) })
}

// Diagnose tells what is wrong with a gateway that does not run: every fault
// that a check finds, and then how the data folder and the ledger are.
func Diagnose(ctx context.Context, opt Options) []watch.Part {
	var parts []watch.Part
	bad := func(part string, err error, remedy string) {
		parts = append(parts, watch.Part{Part: part, State: watch.Bad, Since: time.Now(), Text: sentence(err), Remedy: remedy})
	}
	faults := Check(ctx, opt, true)
	for i, err := range faults {
		bad(fmt.Sprintf("check/%d", i), err, "Correct this; \"loa check --online\" tells when it is right.")
	}
	if len(faults) > 0 {
		return parts
	}
	alone := *opt.Config
	alone.Redis = config.Redis{None: true} // asked above; nothing is sent from here
	opt.Config = &alone
	g, err := New(ctx, opt)
	if errors.Is(err, ErrRunning) {
		bad("serve", err, "A gateway holds the folder and does not answer on its socket: look at its log, and restart it.")
		return parts
	}
	if err != nil {
		bad("start", err, "\"loa serve\" would fail for the same reason.")
		return parts
	}
	parts = g.watcher.Look(ctx)
	if err := g.Close(); err != nil {
		bad("ledger", err, watch.LedgerReadOnly.Remedy())
	}
	return append(parts, watch.Part{
		Part: "serve", State: watch.Warn, Since: time.Now(), Text: "No gateway is running on this data folder: nothing is sent.",
		Remedy: "Start it: loa serve.",
	})
}

func sentence(err error) string { return redact(err.Error()) + "." }
