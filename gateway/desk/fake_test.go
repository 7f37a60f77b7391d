package desk

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audit"
	"loa/gateway/dispatch"
)

var start = time.Date(2026, 9, 7, 6, 0, 0, 0, time.UTC)

// memory is the ledger in memory.
type memory struct {
	mu       sync.Mutex
	cases    map[alert.ID]Case
	records  []audit.Record
	requests []dispatch.Request
	fault    error // of the next Apply
}

func clone(c Case) *Case {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	var out Case
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	return &out
}

func (m *memory) Case(_ context.Context, id alert.ID) (*Case, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.cases[id]
	if !ok {
		return nil, ErrNotFound
	}
	return clone(c), nil
}

func (m *memory) Cases(_ context.Context, states []alert.State, _ int) (cs []Case, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.cases {
		if slices.Contains(states, c.State) {
			cs = append(cs, *clone(c))
		}
	}
	return cs, nil
}

func (m *memory) Create(_ context.Context, c Case, rec audit.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.cases[c.ID]; ok {
		return ErrConflict
	}
	m.cases[c.ID], m.records = *clone(c), append(m.records, rec)
	return nil
}

func (m *memory) Apply(_ context.Context, ch Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fault; err != nil {
		m.fault = nil
		return err
	}
	old := m.cases[ch.Case.ID]
	editable := ch.From == alert.Drafted || ch.From == alert.Returned
	if old.State != ch.From || (!editable && old.Hash != ch.Case.Hash) {
		return ErrConflict
	}
	for _, id := range ch.Supersede {
		c := m.cases[id]
		next, err := c.State.Move(alert.ActSupersede)
		if err != nil {
			return ErrConflict
		}
		c.State = next
		m.cases[id] = c
	}
	m.cases[ch.Case.ID] = *clone(ch.Case)
	m.records, m.requests = append(m.records, ch.Records...), append(m.requests, ch.Requests...)
	return nil
}

func (m *memory) Expired(_ context.Context, now time.Time, _ int) (ids []alert.ID, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, c := range m.cases {
		if c.State == alert.Approved && !now.Before(c.Submission.Revision.Expires()) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// tokens are people by token: name and territory.
type tokens map[channels.Secret]area.Code

func (a tokens) Person(_ context.Context, token channels.Secret) (id, name string, territory area.Code, err error) {
	t, ok := a[token]
	if !ok {
		return "", "", "", errors.New("nobody")
	}
	return "p_" + token.Reveal(), strings.ToUpper(token.Reveal()), t, nil
}

// office is a desk with its world: province 22 has communes 221xx, 31 has
// 311xx; 22199 has ended.
type office struct {
	*Desk
	*memory
	now   time.Time
	heads map[channels.Kind]int
	woken int
	ended []alert.ID
}

// agency is a name that speaks of dangers, as those of its kind do.
const agency = "Ban Chỉ huy Phòng chống lũ quét và sóng thần"

func newOffice(t testing.TB) *office {
	t.Helper()
	o := &office{memory: &memory{cases: map[alert.ID]Case{}}, now: start, heads: map[channels.Kind]int{channels.SMS: 600, channels.App: 40, channels.WebPush: 300}}
	o.Desk = New(Options{
		Store:     o.memory,
		Authority: tokens{"binh": "22", "chi": "22", "dung": Nation, "em": "31", "xa": "22101"},
		Expand:    expand,
		HeadCount: func(_ context.Context, communes []area.Code, roster bool) (map[channels.Kind]int, error) {
			heads := map[channels.Kind]int{}
			for k, n := range o.heads {
				heads[k] = n * len(communes)
				if roster {
					heads[k] = n / 10
				}
			}
			return heads, nil
		},
		Snapshot: func(context.Context) (int64, error) { return 4711, nil },
		Kinds:    []channels.Kind{channels.SMS, channels.WebPush},
		Sender:   "loa@quangninh.example",
		Agency:   []string{agency, "112"},
		Texts:    map[string]alert.TextRule{"": anyText},
		Complete: func(_ context.Context, r *alert.Revision) error {
			for i := range r.Infos {
				in := &r.Infos[i]
				in.SenderName, in.Contact = cmp.Or(in.SenderName, agency), cmp.Or(in.Contact, "112")
				in.Slots = maps.Clone(in.Slots)
				if in.Slots == nil {
					in.Slots = map[string]string{}
				}
				in.Slots["code"] = r.Code
			}
			return nil
		},
		Wake:  func() { o.woken++ },
		Ended: func(ids ...alert.ID) { o.ended = append(o.ended, ids...) },
		Now:   func() time.Time { return o.now },
		Rand:  rand.Reader,
	})
	return o
}

// anyText lets own words do every act, for tests of what is not about texts.
var anyText = alert.TextRule{Acts: alert.TextActs, Means: alert.MeansDanger, Corrects: alert.MeansDanger}

func expand(codes []area.Code) (out []area.Code, _ error) {
	for _, c := range codes {
		switch {
		case c == "22199":
			return nil, fmt.Errorf("commune %s has ended; see 22101", c)
		case len(c) == 2:
			out = append(out, c+"101", c+"102", c+"103")
		case strings.HasPrefix(string(c), "22") || strings.HasPrefix(string(c), "31"):
			out = append(out, c)
		default:
			return nil, fmt.Errorf("commune %s is unknown", c)
		}
	}
	return out, nil
}

// info is a lawful text over the communes.
func info(severity alert.Severity, communes ...string) alert.Info {
	in := alert.Info{
		Language: "vi-VN", Categories: []alert.Category{"Met"}, Event: "Bão", Urgency: "Immediate", Severity: severity, Certainty: "Likely",
		Expires: start.Add(6 * time.Hour), SenderName: "Ban Chỉ huy Phòng thủ dân sự tỉnh", Headline: "Mưa rất to đang đến", Description: "Gió rất mạnh.", Instruction: "Ở yên trong nhà.",
	}
	if len(communes) > 0 {
		a := alert.Area{Desc: "Ven biển"}
		for _, c := range communes {
			a.Geocodes = append(a.Geocodes, alert.NamedValue{Name: area.ValueName, Value: c})
		}
		in.Areas = []alert.Area{a}
	}
	return in
}

func storm(severity alert.Severity, communes ...string) DraftInput {
	return DraftInput{Status: alert.Actual, Infos: []alert.Info{info(severity, communes...)}}
}

// submitted drafts and submits as "binh".
func (o *office) submitted(t testing.TB, in DraftInput) *Case {
	t.Helper()
	c, err := o.Draft(t.Context(), "binh", in)
	if err != nil {
		t.Fatal(err)
	}
	c, err = o.Submit(t.Context(), "binh", c.ID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// approved has "chi" approve besides.
func (o *office) approved(t testing.TB, in DraftInput) *Case {
	t.Helper()
	c := o.submitted(t, in)
	c, err := o.Approve(t.Context(), "chi", c.ID, c.Hash, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// acts lists what the audit has.
func (o *office) acts() []string {
	var acts []string
	for _, r := range o.records {
		acts = append(acts, r.Actor+" "+r.Act)
	}
	return acts
}

func (o *office) state(t testing.TB, id alert.ID) alert.State {
	t.Helper()
	c, err := o.Case(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c.State
}
