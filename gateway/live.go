package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/coverage"
	"loa/gateway/desk"
	"loa/gateway/ledger"
	"loa/gateway/render"
	"loa/gateway/watch"
)

// liveList answers a listener that (re)connects: every alert in force in its
// communes, as the app shows it.
type liveList struct {
	g        *Gateway
	renderer *render.Renderer

	mu    sync.Mutex
	cases map[ledger.InForce]*desk.Case
}

// inForce lists the alerts in force. Which those are is asked of the ledger
// each time, so that an alert is here before its first broadcast, whichever
// node approved it; what they say is frozen, and read once.
func (l *liveList) inForce(ctx context.Context) ([]*desk.Case, error) {
	list, err := l.g.ledger.InForce(ctx, l.g.now())
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := make(map[ledger.InForce]*desk.Case, len(list))
	all := make([]*desk.Case, 0, len(list))
	for _, f := range list {
		c := l.cases[f]
		if c == nil {
			if c, err = l.g.ledger.Desk().Case(ctx, f.Alert); err != nil {
				return nil, err
			}
		}
		kept[f] = c
		all = append(all, c)
	}
	l.cases = kept
	return all, nil
}

func (l *liveList) snapshot(ctx context.Context, areas []string) ([]channels.Message, error) {
	cases, err := l.inForce(ctx)
	if err != nil {
		return nil, fmt.Errorf("live list: %w", err)
	}
	var messages []channels.Message
	for _, c := range cases {
		rev := c.Submission.Revision
		if rev.Status != alert.Actual || watch.Own(rev) {
			continue
		}
		targets := rev.Targets()
		for _, a := range areas {
			if _, found := slices.BinarySearch(targets, area.Code(a)); !found {
				continue
			}
			for _, language := range languages(rev) {
				m, err := l.message(rev, area.Code(a), language)
				if errors.Is(err, render.ErrNoInfo) {
					continue
				}
				if err != nil {
					// The others must still be shown.
					l.g.log.ErrorContext(ctx, "an alert in force cannot be shown", "alert", string(rev.Alert), "err", err)
					continue
				}
				messages = append(messages, m)
			}
		}
	}
	return messages, nil
}

// languages lists the languages of a revision, Vietnamese first.
func languages(rev *alert.Revision) []string {
	var all []string
	for i := range rev.Infos {
		if lang := rev.Infos[i].Lang(); !slices.Contains(all, lang) {
			all = append(all, lang)
		}
	}
	slices.SortStableFunc(all, func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == "vi":
			return -1
		case b == "vi":
			return 1
		default:
			return 0
		}
	})
	return all
}

// message is what one commune reads in one language. A text that has ended is
// not in force, whatever the alert's other texts say.
func (l *liveList) message(rev *alert.Revision, commune area.Code, language string) (channels.Message, error) {
	info, ok := rev.InfoFor(commune, language)
	if !ok || !info.Expires.After(l.g.now()) {
		return channels.Message{}, render.ErrNoInfo
	}
	out, err := l.renderer.Render(rev, l.g.place(commune), channels.App, language)
	if err != nil {
		return channels.Message{}, fmt.Errorf("live list: alert %s: %w", rev.Alert, err)
	}
	return channels.Message{
		Alert: string(rev.Alert), Revision: rev.Number, Code: rev.Code, Status: channels.Actual, Urgent: info.Severity.Grave(),
		Language: language, Expires: info.Expires, Body: out.Body,
	}, nil
}

// Second counts whom of an alert one more send will follow.
func (g *Gateway) Second(ctx context.Context, id alert.ID, revision int) (coverage.Second, error) {
	return g.ledger.Second(ctx, id, revision)
}

// Outstanding counts the batches of live alerts in which a send or a second
// attempt is still to come.
func (g *Gateway) Outstanding(ctx context.Context) (int, error) {
	all := 0
	for _, k := range channels.AllKinds() {
		n, err := g.ledger.Delivery().Outstanding(ctx, k)
		if err != nil {
			return 0, err
		}
		all += n
	}
	return all, nil
}
