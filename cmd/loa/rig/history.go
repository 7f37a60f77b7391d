package rig

import (
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"loa/channels"
	smpp "loa/channels/sms/smpp/standin"
	"loa/gateway/historytest"
)

// Tag is the build tag of gateways that record what they do.
const Tag = "history"

// Trial says what a history is held against besides what every rig is.
type Trial struct {
	// Also are invariants that most rows have no part of: I4, I10, I12.
	Also []string
	// Unknown are invariants that may stay unknown.
	Unknown []string
	// ClockError is how far the ledger's times may be off.
	ClockError time.Duration
	// Within is how long after its approval an alert may be open; default 2 min.
	Within time.Duration
}

// seldom are invariants that a row must ask for. What apps were shown has no
// positions here, so that repeats are judged as second copies alone.
var seldom = []string{"I4", "I10", "I12", "I13"}

// historyEnv is what a gateway is told, so that it records.
func (r *Rig) historyEnv(n *Node) []string {
	if !slices.Contains(r.Options.Tags, Tag) {
		return nil
	}
	env := []string{"LOA_HISTORY=" + r.records, "LOA_HISTORY_NODE=" + n.Name}
	if r.Options.Lease > 0 {
		env = append(env, "LOA_HISTORY_LEASE="+r.Options.Lease.String())
	}
	return env
}

// called records a client's call around do.
func (r *Rig) called(op, id string, do func() error) error {
	e := historytest.Event{T: historytest.Monotonic(), Kind: historytest.KindCall, Phase: historytest.Invoke, Op: op, Alert: id, Revision: 1}
	r.acted(e)
	err := do()
	e.T, e.Phase = historytest.Monotonic(), historytest.OK
	if err != nil {
		e.Phase = historytest.Info
	}
	r.acted(e)
	return err
}

func (r *Rig) acted(e historytest.Event) {
	r.acting.Lock()
	defer r.acting.Unlock()
	r.acts = append(r.acts, e)
}

// Judge stops all gateways, holds the history of the run against the invariants
// and fails the test on any that was broken or, unless the trial lets it, cannot
// be judged. It returns a word for each verdict.
func (r *Rig) Judge(t Trial) string {
	r.Helper()
	h, err := r.History()
	if err != nil {
		r.Fatal(err)
	}
	p := historytest.Params{
		Workers: max(SMSWorkers, PushWorkers) * len(r.Nodes), Concurrency: max(SMSWindow, PushWindow), TerminalDeadline: t.Within,
		Unrecorded: []historytest.Fact{historytest.FactDevice, historytest.FactStepUp}, ClockError: t.ClockError,
	}
	if p.TerminalDeadline == 0 {
		p.TerminalDeadline = 2 * time.Minute
	}
	// A call is recorded when the machine lets it run, which may be a moment after
	// the gateway let it start: a twentieth more is granted for that. The
	// simulation, whose clock stands still meanwhile, holds the limit exactly.
	if limit := r.Options.PerSecond; limit > 0 {
		p.RatePerSecond = map[string]int{"twilio": limit + max(2, limit/20)}
	} else {
		p.NotApplicable = append(p.NotApplicable, "I9")
	}
	for _, name := range seldom {
		if !slices.Contains(t.Also, name) {
			p.NotApplicable = append(p.NotApplicable, name)
		}
	}
	report := historytest.Check(h, p)
	r.Logf("the history says:\n%s", &report)
	var words []string
	for _, v := range report.Verdicts {
		if v.State != historytest.NotApplicable {
			words = append(words, v.Invariant+" "+string(v.State))
		}
		if v.State == historytest.Invalid || v.State == historytest.Unknown && !slices.Contains(t.Unknown, v.Invariant) {
			r.Errorf("%s (%s) is %s", v.Invariant, v.Promise, v.State)
		}
	}
	return strings.Join(words, ", ")
}

// History stops all gateways and joins what they recorded, what the ledger says
// in the end and what the providers' books hold.
func (r *Rig) History() (historytest.History, error) {
	r.Helper()
	r.Stop()
	_ = os.Remove(filepath.Join(r.records, "ledger.history.jsonl"))
	n := r.Nodes[0]
	n.Env = append(n.Env, "LOA_HISTORY="+r.records)
	n.Loa("", "", "history")
	numbers, browsers, installs := map[string]int64{}, map[int]int64{}, map[int]int64{}
	var people []historytest.Person
	for i, p := range r.People {
		id := int64(i + 1) // an import numbers its rows in order
		people = append(people, historytest.Person{ID: id, Channel: p.Kind, Commune: p.Commune})
		switch p.Kind {
		case channels.SMS:
			numbers[p.Address] = id
		case channels.WebPush:
			browsers[len(browsers)] = id
		default:
			installs[len(installs)] = id
		}
	}
	acts := slices.Clone(r.acts)
	for _, id := range r.submitted {
		acts = append(acts, historytest.Eligible(id, 1, r.began.Mono, people)...)
	}
	run := historytest.Run{Begin: r.began, End: historytest.Now()}
	s := historytest.Sources{
		Run: run, Recorded: r.records, Acts: acts, SMS: r.CarrierBooks(), Push: r.PushBooks(), SMSName: "twilio", PushName: "vapid",
		ByNumber:       func(number string) int64 { return numbers[number] },
		BySubscription: func(i int) int64 { return browsers[i] },
	}
	h, err := s.History()
	if err != nil {
		return nil, err
	}
	return historytest.Join(h, r.shown(run, installs), r.secondBooks(run, numbers)), nil
}

// secondBooks are the whole messages that the second carrier took. SMPP carries
// no reference of ours: the run's one alert is what they are of.
func (r *Rig) secondBooks(run historytest.Run, numbers map[string]int64) historytest.History {
	r.Helper()
	if !r.Options.Second {
		return historytest.Of()
	}
	if len(r.submitted) != 1 {
		r.Fatalf("the second carrier's books cannot tell %d alerts apart", len(r.submitted))
	}
	parts, taken := r.SecondParts(), map[string]time.Time{}
	for _, p := range parts {
		taken[p.ID] = p.At
	}
	var events []historytest.Event
	for _, m := range smpp.Messages(parts) {
		if !m.Whole {
			continue
		}
		who := numbers[m.To]
		if who == 0 {
			who = -1 // a phantom
		}
		events = append(events, historytest.Event{
			T: run.Place(taken[m.IDs[len(m.IDs)-1]]), Kind: historytest.KindBook, Channel: channels.SMS, Provider: "smpp",
			Outcome: channels.Accepted.String(), Alert: r.submitted[0], Revision: 1, Recipient: who,
		})
	}
	return historytest.Of(events...)
}

// shown are the apps' books: every copy that came.
func (r *Rig) shown(run historytest.Run, installs map[int]int64) historytest.History {
	return func(yield func(historytest.Event, error) bool) {
		if r.crowd == nil {
			return
		}
		for e := range r.crowd.Books() {
			for range e.Copies {
				one := historytest.AppBooks(seq(historytest.Shown{Install: e.Install, Alert: e.Alert, Revision: e.Revision, Language: e.Language, Copies: 0, First: e.First}),
					run, func(i int) int64 { return installs[i] })
				for e, err := range one {
					if !yield(e, err) {
						return
					}
				}
			}
		}
	}
}

func seq(s historytest.Shown) iter.Seq[historytest.Shown] {
	return func(yield func(historytest.Shown) bool) { yield(s) }
}

// Stop tells all gateways that run to end, and waits until they have.
func (r *Rig) Stop() {
	r.Helper()
	for _, n := range r.Nodes {
		if n.Process == nil {
			continue
		}
		select {
		case <-n.Ended():
			continue
		default:
			n.Signal(syscall.SIGTERM)
		}
		Eventually(r, 20*time.Second, n.Name+" to end", func() (bool, string) {
			select {
			case <-n.Ended():
				return true, ""
			default:
				return false, "it still runs"
			}
		})
	}
}
