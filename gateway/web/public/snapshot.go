package public

import (
	"context"
	"fmt"
	"sync"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/coverage"
	"loa/gateway/desk"
	"loa/gateway/web/face"
)

const (
	maxInForce = 200            // alerts in force on one page
	maxEnded   = 20             // ended alerts on one page
	recently   = 24 * time.Hour // how long an ended alert is shown
	fresh      = time.Second    // age at which figures are read anew
	readBound  = 5 * time.Second
	costShare  = 10 // reading takes at most one part in so many of the time
)

// entry is an alert with what came of it.
type entry struct {
	desk.Case
	cells   []coverage.Cell
	cutting bool
	second  coverage.Second
	unheard map[channels.Kind]int
	gaps    []coverage.Gap
}

// snapshot is what all visitors of one moment see.
type snapshot struct {
	at             time.Time
	inForce, ended []entry
	health         Health

	mu      sync.Mutex
	answers map[ask]*face.Answer
}

// maxAnswers bounds the rendered answers kept for one moment.
const maxAnswers = 64

// once renders an answer for all who ask the same. What somebody looks for by
// name is rendered for them alone.
func (s *snapshot) once(a ask, render func() (*face.Answer, error)) (*face.Answer, error) {
	if a.query != "" {
		return render()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if out := s.answers[a]; out != nil {
		return out, nil
	}
	out, err := render()
	if err == nil && len(s.answers) < maxAnswers {
		s.answers[a] = out
	}
	return out, err
}

// reader reads the rooms for all visitors together: however many look, the
// ledger is asked about once a second, and more seldom when that is costly.
type reader struct {
	o    *Options
	mu   sync.Mutex
	last *snapshot
	took time.Time // when last was tried
	cost time.Duration
	err  error
}

// read returns the figures of the moment. With an error it returns the last
// ones there were, or nil.
func (r *reader) read(ctx context.Context) (*snapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.o.Now()
	if age := now.Sub(r.took); !r.took.IsZero() && age >= 0 && age < max(fresh, costShare*r.cost) {
		return r.last, r.err
	}
	// The figures are for others too: one who leaves must not end the reading.
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBound)
	defer cancel()
	s, err := r.load(bound, now)
	r.took, r.cost, r.err = now, r.o.Now().Sub(now), err
	if err != nil {
		r.o.Log.ErrorContext(ctx, "the live page cannot read its figures", "err", err)
		return r.last, err
	}
	r.last = s
	return s, nil
}

func (r *reader) load(ctx context.Context, now time.Time) (*snapshot, error) {
	s := &snapshot{at: now, health: r.o.Health(), answers: map[ask]*face.Answer{}}
	live, err := r.o.Cases(ctx, []alert.State{alert.Approved}, maxInForce)
	if err != nil {
		return nil, fmt.Errorf("alerts in force: %w", err)
	}
	over, err := r.o.Cases(ctx, []alert.State{alert.Stopped, alert.Superseded, alert.Ended}, maxEnded)
	if err != nil {
		return nil, fmt.Errorf("ended alerts: %w", err)
	}
	for i := range live {
		if err := r.add(ctx, &s.inForce, live[i]); err != nil {
			return nil, err
		}
	}
	for i := range over {
		if now.Sub(over[i].EndedAt) > recently {
			continue
		}
		if err := r.add(ctx, &s.ended, over[i]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// add counts what came of an alert. One that is not meant for everybody is not
// shown to everybody.
func (r *reader) add(ctx context.Context, to *[]entry, c desk.Case) error {
	rev := c.Submission.Revision
	if rev == nil || rev.Scope != alert.Public || len(rev.Infos) == 0 {
		return nil
	}
	e := entry{Case: c}
	var err error
	if e.cells, err = r.o.Cells(ctx, c.ID, rev.Number); err != nil {
		return fmt.Errorf("alert %s: coverage: %w", c.ID, err)
	}
	notices, err := r.o.Notices(ctx, c.ID, coverage.MaxNotices)
	if err != nil {
		return fmt.Errorf("alert %s: what is not sent: %w", c.ID, err)
	}
	e.gaps = coverage.Gaps(notices)
	if c.State.Live() {
		if e.cutting, err = r.o.Cutting(ctx, c.ID); err != nil {
			return fmt.Errorf("alert %s: requests: %w", c.ID, err)
		}
		if e.second, err = r.o.Second(ctx, c.ID, rev.Number); err != nil {
			return fmt.Errorf("alert %s: second attempts: %w", c.ID, err)
		}
		if e.unheard, err = r.o.Unheard(ctx, &c); err != nil {
			return fmt.Errorf("alert %s: subscribers: %w", c.ID, err)
		}
	}
	*to = append(*to, e)
	return nil
}
