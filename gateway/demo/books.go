package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"loa/channels"
	"loa/gateway/coverage"
)

// Result is the last line of "loa demo --json". Accepted counts everybody
// whose message a provider took, Delivered those of them whose provider or
// device reported arrival.
type Result struct {
	Alert      string                           `json:"alert"`
	Recipients int                              `json:"recipients"`
	Channels   map[channels.Kind]*ChannelResult `json:"channels"`
	Lost       int                              `json:"lost"`
	Duplicates int                              `json:"duplicates"`
	Disagree   int                              `json:"disagree"`
	Seconds    float64                          `json:"seconds"`
	FirstMS    float64                          `json:"first_ms"`
}

// ChannelResult is one channel of a Result.
type ChannelResult struct {
	Eligible   int `json:"eligible"`
	Accepted   int `json:"accepted"`
	Delivered  int `json:"delivered"`
	Failed     int `json:"failed"`
	Ambiguous  int `json:"ambiguous"`
	Duplicates int `json:"duplicates"`
}

// agree reports whether nobody was lost, nothing was sent twice, and ledger
// and books say the same of everybody.
func (r *Result) agree() bool { return r.Lost == 0 && r.Duplicates == 0 && r.Disagree == 0 }

// compare takes everybody who was drawn, one by one, and holds what the ledger
// says against what the stand-ins' books say.
func (p *play) compare(ctx context.Context) (*Result, error) {
	outcomes := make(map[int64]channels.Outcome, len(p.ids))
	err := p.g.Coverage.Recipients(ctx, p.alert, 1, func(r coverage.Recipient) error {
		outcomes[r.Endpoint] = r.Outcome
		return nil
	})
	if err != nil {
		return nil, err
	}
	res := &Result{Alert: string(p.alert), Recipients: len(p.people), Channels: map[channels.Kind]*ChannelResult{}}
	books := map[channels.Kind]map[channels.Address]Tally{}
	for _, s := range shares {
		res.Channels[s.kind] = &ChannelResult{}
		if books[s.kind], err = p.World.Books(s.kind); err != nil {
			return nil, err
		}
	}
	for i, r := range p.people {
		o, known := outcomes[p.ids[i]]
		res.add(r.kind, o, known, books[r.kind][r.address])
	}
	for _, k := range slices.Sorted(maps.Keys(res.Channels)) {
		res.Duplicates += res.Channels[k].Duplicates
	}
	res.Seconds = p.finished.Sub(p.approved).Round(time.Millisecond).Seconds()
	first, ok := p.World.First()
	if !ok {
		return nil, errors.New("nothing was ever sent")
	}
	res.FirstMS = float64(first.Sub(p.approved).Microseconds()) / 1000
	return res, nil
}

// add counts one person. Lost: eligible, and neither did a stand-in keep a
// message nor does the ledger name a failure. Disagree: the ledger says taken
// and the books do not, or the other way round.
func (r *Result) add(k channels.Kind, o channels.Outcome, known bool, t Tally) {
	c := r.Channels[k]
	if known {
		c.Eligible++
	}
	taken := false
	switch o {
	case channels.Accepted:
		c.Accepted++
		taken = true
	case channels.Delivered, channels.Confirmed:
		c.Accepted++
		c.Delivered++
		taken = true
	case channels.Failed:
		c.Failed++
	case channels.Ambiguous:
		c.Ambiguous++
	default:
	}
	c.Duplicates += max(0, t.Kept-1)
	if t.Kept == 0 && (!known || o != channels.Failed) {
		r.Lost++
	}
	if taken != (t.Kept > 0) && o != channels.Ambiguous {
		r.Disagree++
	}
}

func (p *play) report(r *Result) error {
	p.say("Mất %d, gửi lặp %d, sổ lệch %d; tin đầu tiên sau %.0f ms, xong sau %.1f giây", r.Lost, r.Duplicates, r.Disagree, r.FirstMS, r.Seconds)
	if !p.JSON {
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.Out, string(line))
	return err
}
