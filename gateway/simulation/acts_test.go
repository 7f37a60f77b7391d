package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audit"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/historytest"
	"loa/gateway/ledger"
)

var people = []channels.Secret{"an", "binh", "chi", "dung"}

// operate does what a person asks for, and asks again when the process ended
// before it answered.
func (w *world) operate(what string, do func(ctx context.Context, p *process) error) {
	w.work.Go(func() {
		for !w.over.Load() {
			p := w.current.Load()
			err := errGone
			if !p.dead.Load() {
				err = do(p.ctx, p)
			}
			switch {
			case err == nil:
				w.count(what)
				return
			case errors.Is(err, errGone), errors.Is(err, ledger.ErrClosed), errors.Is(err, context.Canceled):
				w.count("asked again")
				time.Sleep(time.Second)
			default:
				w.count(what + " refused")
				w.note("%s: refused: %v", what, err)
				return
			}
		}
	})
}

func (w *world) text(r *rand.Rand, severity alert.Severity, life time.Duration, communes []area.Code) alert.Info {
	headline := "Mưa to, đợt %d" // in a light alert's words nothing is grave: its author may send it alone
	if severity.Grave() {
		headline = "Bão số %d đang đổ bộ"
	}
	in := alert.Info{
		Language: "vi-VN", Categories: []alert.Category{"Met"}, Event: "Mưa", Urgency: "Immediate", Severity: severity, Certainty: "Likely",
		Expires: w.wall().Truncate(time.Second).Add(life), SenderName: "Ban Chỉ huy", Headline: fmt.Sprintf(headline, r.IntN(20)), Description: "Gió rất mạnh.",
	}
	for _, c := range communes {
		in.Areas = append(in.Areas, alert.Area{Desc: "Xã " + string(c), Geocodes: []alert.NamedValue{{Name: area.ValueName, Value: string(c)}}})
	}
	return in
}

// issue drafts, submits and approves an alert.
func (w *world) issue(r *rand.Rand) {
	severity := alert.Extreme
	if chance(r, 40) {
		severity = alert.Minor
	}
	communes := [][]area.Code{{"22101"}, {"22101", "22102"}, {"22102"}, {"31101"}, {"22101", "22102", "31101"}}[r.IntN(5)]
	by, other := people[r.IntN(4)], people[r.IntN(2)]
	if slices.Contains(communes, "31101") {
		by = people[r.IntN(2)]
	}
	if other == by {
		other = "an"
	}
	if other == by {
		other = "binh"
	}
	n := len(w.issued)
	w.issued = append(w.issued, "")
	in := desk.DraftInput{Status: alert.Actual, Infos: []alert.Info{w.text(r, severity, between(r, 7*time.Minute, 20*time.Minute), communes)}, Key: fmt.Sprint("issue ", n)}
	w.operate("issued", func(ctx context.Context, p *process) error {
		c, err := p.desk.Draft(ctx, by, in)
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.issued[n] = c.ID
		w.mu.Unlock()
		return w.sign(ctx, p, by, other, c.ID)
	})
}

// sign brings a draft, or what became of it, to its approval.
func (w *world) sign(ctx context.Context, p *process, by, other channels.Secret, id alert.ID) error {
	c, err := p.desk.Status(ctx, by, id)
	if err != nil {
		return err
	}
	if c.State == alert.Drafted {
		if c, err = p.desk.Submit(ctx, by, id); err != nil {
			return err
		}
	}
	if c.State != alert.Submitted {
		return nil // an earlier call has done it
	}
	if _, err = p.desk.Approve(ctx, other, id, c.Hash, "sign"); err != nil {
		return err
	}
	w.record(historytest.Event{Kind: historytest.KindCall, Phase: historytest.OK, Op: "approve", Alert: string(id), Revision: 1})
	return nil
}

// target is an alert that was issued.
func (w *world) target(r *rand.Rand) alert.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.issued) == 0 {
		return ""
	}
	if chance(r, 50) {
		return w.issued[len(w.issued)-1]
	}
	return w.issued[r.IntN(len(w.issued))]
}

func (w *world) stop(r *rand.Rand, id alert.ID) {
	in := desk.StopInput{Reason: "Nhầm", Notice: []alert.Info{w.text(r, alert.Minor, 25*time.Minute, nil)}, Key: fmt.Sprint("stop ", r.Uint64())}
	w.operate("stopped", func(ctx context.Context, p *process) error {
		c, err := p.desk.Stop(ctx, "binh", id, in)
		if c != nil && c.State == alert.Stopped && (err == nil || !errors.Is(err, errGone)) {
			w.record(historytest.Event{Kind: historytest.KindCall, Phase: historytest.OK, Op: "stop", Alert: string(id), Revision: 1})
		}
		return err
	})
}

func (w *world) correct(r *rand.Rand, id alert.ID) {
	in := desk.CorrectInput{Reason: "Sai xã", Infos: []alert.Info{w.text(r, alert.Minor, 25*time.Minute, nil)}, Key: fmt.Sprint("correct ", r.Uint64())}
	w.operate("corrected", func(ctx context.Context, p *process) error {
		_, err := p.desk.Correct(ctx, "an", id, in)
		return err
	})
}

func (w *world) update(r *rand.Rand, id alert.ID) {
	old := w.caseOf(id)
	if old == nil || len(old.Submission.Communes) == 0 {
		return
	}
	in := desk.DraftInput{Infos: []alert.Info{w.text(r, alert.Extreme, between(r, 7*time.Minute, 20*time.Minute), old.Submission.Communes)}, Key: fmt.Sprint("update ", r.Uint64())}
	clear := chance(r, 30)
	if clear {
		in.Infos[0].ResponseTypes = []alert.ResponseType{"AllClear"}
	}
	w.operate("updated", func(ctx context.Context, p *process) error {
		draft := p.desk.Update
		if clear {
			draft = p.desk.AllClear
		}
		c, err := draft(ctx, "an", id, in)
		if err != nil {
			return err
		}
		return w.sign(ctx, p, "an", "binh", c.ID)
	})
}

// bulletin files routine work as a timetable would: one signature, no draft.
func (w *world) bulletin(r *rand.Rand) {
	life := between(r, 3*time.Second, 20*time.Second)
	if chance(r, 70) {
		life = between(r, 5*time.Minute, 10*time.Minute)
	}
	w.bulletins++
	id := alert.ID(fmt.Sprint("bulletin-", w.bulletins))
	communes := []area.Code{"22101", "22102", "31101"}[:1+r.IntN(3)]
	rev := &alert.Revision{Alert: id, Number: 1, Code: "AB23", Identifier: id.Identifier(1), Sender: "loa@example", Status: alert.Actual, MsgType: alert.MsgAlert,
		Scope: alert.Public, Sent: w.wall().Truncate(time.Second), Infos: []alert.Info{w.text(r, alert.Minor, life, communes)}}
	c := desk.Case{ID: id, State: alert.Submitted, Author: desk.Person{ID: "an", Name: "an", Territory: desk.Nation}, CreatedAt: w.wall(),
		Submission: desk.Submission{Revision: rev, Communes: communes, Kinds: kinds, Cause: dispatch.Scheduled}}
	c.Hash = c.Submission.Hash()
	c.Signatures = []desk.Signature{{Person: "an", Name: "an", Act: alert.ActSubmit, Hash: c.Hash, At: c.CreatedAt}}
	record := func(act string) audit.Record {
		return audit.Record{At: w.wall(), Actor: "an", Act: act, Object: "alert/" + string(id)}
	}
	w.operate("bulletins", func(ctx context.Context, p *process) error {
		store := deskStore{Store: p.ledger.Desk(), p: p}
		if err := store.Create(ctx, c, record("alert.submit")); err != nil && !errors.Is(err, desk.ErrConflict) {
			return err
		}
		snapshot, err := p.ledger.Audience().Snapshot(ctx)
		if err != nil {
			return err
		}
		next := c
		next.State, next.ApprovedAt = alert.Approved, w.wall()
		next.Signatures = append(slices.Clone(c.Signatures), desk.Signature{Person: "an", Name: "an", Act: alert.ActApprove, Hash: c.Hash, At: w.wall()})
		q := dispatch.Request{Key: "alert/" + string(id), Alert: id, Revision: 1, Cause: dispatch.Scheduled, Priority: dispatch.PriorityOf(dispatch.Scheduled, alert.Minor),
			Kinds: kinds, Snapshot: snapshot, Areas: communes}
		err = store.Apply(ctx, desk.Change{Case: next, From: alert.Submitted, Records: []audit.Record{record("alert.approve")}, Requests: []dispatch.Request{q}})
		if err == nil || errors.Is(err, desk.ErrConflict) {
			p.wake()
			return nil
		}
		return err
	})
}

// trouble is what nobody asked for.
func (w *world) trouble(p *process, r *rand.Rand) {
	switch r.IntN(10) {
	case 0:
		w.step(between(r, -30*time.Second, 30*time.Second))
	case 1:
		if w.belt != nil {
			w.belt.forget()
		}
	case 2:
		if w.belt != nil {
			w.belt.setDown(true)
			w.later(between(r, 500*time.Millisecond, 8*time.Second), func() { w.belt.setDown(false) })
		}
	case 3:
		if living := p.living(); len(living) > 1 {
			living[r.IntN(len(living))].drain()
		} else {
			p.add(false)
		}
	case 4:
		if living := p.living(); len(living) > 1 {
			living[r.IntN(len(living))].kill()
		} else {
			p.add(false)
		}
	case 5:
		p.crash()
	case 6:
		if living := p.living(); len(living) > 0 {
			living[r.IntN(len(living))].freeze(between(r, 3*time.Second, 14*time.Second))
		}
	default:
		c := w.carriers[r.IntN(len(w.carriers))]
		c.set([]weather{fair, gales, floods, wreck}[r.IntN(4)])
	}
}

// set lays a trap.
func (w *world) set(r *rand.Rand) {
	t := &trap{step: steps[r.IntN(len(steps))], after: chance(r, 50), skip: r.IntN(4), node: chance(r, 30)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trap = t
}
