package render

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"loa/gateway/alert"
)

// Sender is a name that SMS go out under, at one provider.
type Sender struct {
	Provider string `json:"provider" yaml:"provider"`
	Sender   string `json:"sender" yaml:"sender"`
}

// Registered is a text that a carrier has registered for a sender. A slot is
// its name in braces; the agency and the marker of a test or an exercise are
// part of the text.
type Registered struct {
	Provider string           `json:"provider" yaml:"provider"`
	Sender   string           `json:"sender" yaml:"sender"`
	Template string           `json:"template,omitempty" yaml:"template,omitempty"` // catalogue id, for people
	Status   string           `json:"status,omitempty" yaml:"status,omitempty"`     // Exercise or Test, for people; empty: a real warning
	Text     string           `json:"text" yaml:"text"`
	Slots    []RegisteredSlot `json:"slots" yaml:"slots"`
	Longest  string           `json:"longest,omitempty" yaml:"longest,omitempty"`   // an example with every slot at its longest
	Encoding string           `json:"encoding,omitempty" yaml:"encoding,omitempty"` // of Longest
	Parts    int              `json:"parts,omitempty" yaml:"parts,omitempty"`       // of Longest
}

// RegisteredSlot is a slot with the longest value the carrier takes, in
// characters.
type RegisteredSlot struct {
	Name    string `json:"name" yaml:"name"`
	Type    string `json:"type" yaml:"type"`
	Longest int    `json:"longest" yaml:"longest"`
}

// index checks registered texts and finds them by sender and text.
func index(list []Registered) (map[Sender]map[string]Registered, error) {
	out := map[Sender]map[string]Registered{}
	for i, g := range list {
		if err := g.check(); err != nil {
			return nil, fmt.Errorf("render: registered text %d (%s): %w", i+1, g.Template, err)
		}
		from := Sender{g.Provider, g.Sender}
		if out[from] == nil {
			out[from] = map[string]Registered{}
		}
		if _, ok := out[from][g.Text]; ok {
			return nil, fmt.Errorf("render: registered text %d (%s): stands there twice", i+1, g.Template)
		}
		out[from][g.Text] = g
	}
	return out, nil
}

func (g Registered) check() error {
	if g.Provider == "" || g.Sender == "" || g.Text == "" {
		return fmt.Errorf("provider, sender and text must be set")
	}
	typed := map[string]bool{}
	for _, s := range g.Slots {
		if !slices.Contains(slotKinds, s.Type) {
			return fmt.Errorf("slot %s: unknown type %q", s.Name, s.Type)
		}
		if s.Longest < 1 {
			return fmt.Errorf("slot %s: longest must be at least 1", s.Name)
		}
		if !strings.Contains(g.Text, "{"+s.Name+"}") {
			return fmt.Errorf("slot %s: not in the text", s.Name)
		}
		typed[s.Name] = true
	}
	for _, p := range split(g.Text) {
		if p.slot && !typed[p.text] {
			return fmt.Errorf("slot %s: has no type and longest value", p.text)
		}
	}
	return nil
}

// fits says whether a finished SMS may go out under every sender.
func (r *Renderer) fits(e *entry, text string, values map[string]string) error {
	if len(r.opt.Senders) == 0 {
		return &UnregisteredError{Template: e.String()}
	}
	for _, from := range r.opt.Senders {
		g, ok := r.registered[from][text]
		if !ok {
			return &UnregisteredError{Template: e.String(), Provider: from.Provider, Sender: from.Sender}
		}
		for _, s := range g.Slots {
			if utf8.RuneCountInString(values[s.Name]) > s.Longest {
				return &SlotError{Template: e.String(), Slot: s.Name, Err: longerThan(values[s.Name], s.Longest)}
			}
		}
	}
	return nil
}

// registrable is the entry's text as a carrier registers it: everything is
// fixed but the slots that change.
func (r *Renderer) registrable(e *entry) string {
	agency, _ := r.opt.Agency.in(e.shape())
	var b strings.Builder
	for _, p := range e.pieces {
		switch {
		case !p.slot:
			b.WriteString(p.text)
		case p.text == "agency":
			b.WriteString(agency)
		default:
			b.WriteString("{" + p.text + "}")
		}
	}
	return b.String()
}

// statuses lists what a text may carry: each is another text to the carrier.
func (r *Renderer) statuses(template string) []alert.Status {
	if only := r.catalogue.acts[template].Status; only != "" {
		return []alert.Status{only}
	}
	return []alert.Status{alert.Actual, alert.Exercise}
}

// Unregistered lists what ToRegister lists and what is not registered, or with
// room for less.
func (r *Renderer) Unregistered(from Sender) []Registered {
	return slices.DeleteFunc(r.ToRegister(from), func(want Registered) bool {
		have, ok := r.registered[from][want.Text]
		return ok && !slices.ContainsFunc(want.Slots, func(s RegisteredSlot) bool {
			i := slices.IndexFunc(have.Slots, func(x RegisteredSlot) bool { return x.Name == s.Name })
			return i >= 0 && have.Slots[i].Longest < s.Longest
		})
	})
}

// ToRegister lists every SMS of the catalogue as it is to be registered for a
// sender: as a real warning, and as the exercise or the test that it may be.
// The list can stand in the configuration as it is.
func (r *Renderer) ToRegister(from Sender) []Registered {
	var out []Registered
	for _, e := range r.catalogue.order {
		if !e.shape().sms() {
			continue
		}
		var slots []RegisteredSlot
		for _, p := range e.pieces {
			if p.slot && p.text != "agency" && !slices.ContainsFunc(slots, func(s RegisteredSlot) bool { return s.Name == p.text }) {
				st := e.slots[p.text]
				slots = append(slots, RegisteredSlot{Name: p.text, Type: st.kind, Longest: st.longest})
			}
		}
		for _, status := range r.statuses(e.template) {
			g := Registered{
				Provider: from.Provider, Sender: from.Sender, Template: e.String(), Slots: slices.Clone(slots),
				Text: mark(r.registrable(e), status, e.shape()), Longest: mark(e.longest, status, e.shape()),
			}
			if status != alert.Actual {
				g.Status = string(status)
			}
			g.Parts, g.Encoding = r.opt.Parts(g.Longest)
			out = append(out, g)
		}
	}
	return out
}

// Registration writes ToRegister as "json" or "csv".
func (r *Renderer) Registration(w io.Writer, from Sender, format string) error {
	list := r.ToRegister(from)
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	case "csv":
		return registrationCSV(w, list)
	default:
		return fmt.Errorf("render: format %q: not one of json, csv", format)
	}
}

func registrationCSV(w io.Writer, list []Registered) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"provider", "sender", "template", "status", "text", "slots", "longest", "encoding", "parts"}}
	for _, g := range list {
		slots := make([]string, len(g.Slots))
		for i, s := range g.Slots {
			slots[i] = fmt.Sprintf("%s:%s<=%d", s.Name, s.Type, s.Longest)
		}
		rows = append(rows, []string{
			g.Provider, g.Sender, g.Template, g.Status, g.Text, strings.Join(slots, "; "), g.Longest, g.Encoding, strconv.Itoa(g.Parts),
		})
	}
	return out.WriteAll(rows)
}
