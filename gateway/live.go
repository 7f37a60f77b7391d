package gateway

import (
	"context"
	"fmt"
	"slices"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
)

// liveList answers a listener that (re)connects: every alert in force in its
// communes, as the app shows it.
type liveList struct{ g *Gateway }

const maxLive = 200

func (l *liveList) snapshot(ctx context.Context, areas []string) ([]channels.Message, error) {
	cases, err := l.g.ledger.Desk().Cases(ctx, []alert.State{alert.Approved}, maxLive)
	if err != nil {
		return nil, fmt.Errorf("live list: %w", err)
	}
	var messages []channels.Message
	for i := range cases {
		rev := cases[i].Submission.Revision
		if rev.Status != alert.Actual || !rev.Expires().After(l.g.now()) {
			continue
		}
		targets := rev.Targets()
		for _, a := range areas {
			if _, found := slices.BinarySearch(targets, area.Code(a)); !found {
				continue
			}
			m, err := l.message(rev, area.Code(a), "vi")
			if err != nil {
				return nil, err
			}
			messages = append(messages, m)
		}
	}
	return messages, nil
}

func (l *liveList) message(rev *alert.Revision, commune area.Code, language string) (channels.Message, error) {
	out, err := l.g.Renderer.Render(rev, l.g.place(commune), channels.App, language)
	if err != nil {
		return channels.Message{}, fmt.Errorf("live list: alert %s: %w", rev.Alert, err)
	}
	return channels.Message{
		Alert: string(rev.Alert), Revision: rev.Number, Code: rev.Code, Status: channels.Actual, Urgent: rev.Severity().Grave(),
		Language: language, Expires: rev.Expires(), Body: out.Body,
	}, nil
}
