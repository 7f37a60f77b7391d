package render_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/render"
	"loa/templates"
)

func TestUnregisteredSMS(t *testing.T) {
	t.Parallel()
	all := newRenderer(t, nil).ToRegister(carrier)
	other := render.Sender{Provider: "carrier-b", Sender: "PTDSQN"}
	without := func(parts ...string) []render.Registered {
		var out []render.Registered
		for _, g := range all {
			drop := false
			for _, p := range parts {
				drop = drop || strings.Contains(g.Template, p)
			}
			if !drop {
				out = append(out, g)
			}
		}
		return out
	}
	for _, c := range []struct {
		name    string
		change  func(*render.Options)
		want    *render.UnregisteredError // nil: it goes out
		unicode bool
	}{
		{name: "both twins are registered", change: func(o *render.Options) { o.Registered = all }, unicode: true},
		{name: "only the text without marks is", change: func(o *render.Options) { o.Registered = without("storm.emergency.sms.vi") }},
		{name: "neither is", change: func(o *render.Options) { o.Registered = without("storm.emergency.sms") },
			want: &render.UnregisteredError{Template: "storm.emergency.sms.vi", Provider: "carrier-a", Sender: "LOA"}},
		{name: "not with the second carrier", change: func(o *render.Options) { o.Registered, o.Senders = all, append(o.Senders, other) },
			want: &render.UnregisteredError{Template: "storm.emergency.sms.vi", Provider: "carrier-b", Sender: "PTDSQN"}},
		{name: "no sender is configured", change: func(o *render.Options) { o.Registered, o.Senders = all, nil },
			want: &render.UnregisteredError{Template: "storm.emergency.sms.vi"}},
		{name: "another agency was registered", change: func(o *render.Options) { o.Registered, o.Agency.Short = all, "BCH PTDS Hải Phòng" },
			want: &render.UnregisteredError{Template: "storm.emergency.sms.vi", Provider: "carrier-a", Sender: "LOA"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRenderer(t, c.change)
			out, err := r.Render(revision("storm.emergency", stormSlots()), haTu, channels.SMS, "vi")
			if c.want == nil {
				if err != nil || (out.Encoding == "UCS-2") != c.unicode {
					t.Errorf("%v %s", err, out.Body)
				}
				return
			}
			var got *render.UnregisteredError
			if !errors.As(err, &got) || !errors.Is(err, render.ErrUnregistered) || out.Body != nil {
				t.Fatalf("error %v, body %s", err, out.Body)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if !strings.HasPrefix(err.Error(), "mẫu chưa đăng ký: storm.emergency.sms.vi (") || !strings.Contains(err.Error(), c.want.Sender) {
				t.Errorf("the author reads %q", err)
			}
		})
	}
}

// A slot longer than the carrier registered is refused by its name, even
// where our own limit has room.
func TestSlotLongerThanRegistered(t *testing.T) {
	t.Parallel()
	all := newRenderer(t, nil).ToRegister(carrier)
	shortened := 0
	for i, g := range all {
		for j, s := range g.Slots {
			if strings.HasPrefix(g.Template, "storm.emergency.") && s.Name == "area" {
				all[i].Slots[j].Longest = 5
				shortened++
			}
		}
	}
	if shortened != 6 { // three forms, each as a warning and as an exercise
		t.Fatalf("%d slots shortened", shortened)
	}
	r := newRenderer(t, func(o *render.Options) { o.Registered = all })
	for _, lang := range []string{"vi", "en"} {
		_, err := r.Render(revision("storm.emergency", stormSlots()), coTo, channels.SMS, lang)
		if lang == "en" { // "Co To" has five characters
			if err != nil {
				t.Errorf("en: %v", err)
			}
			continue
		}
		var slot *render.SlotError
		if !errors.As(err, &slot) || slot.Slot != "area" || slot.Template != "storm.emergency.sms.vi" {
			t.Errorf("vi: %v", err)
		}
	}
}

func TestRegistrationExport(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	want := r.ToRegister(carrier)
	count := map[string]int{}
	for _, g := range want {
		count[g.Status]++
		if marked := strings.HasPrefix(g.Text, "DIỄN TẬP") || strings.HasPrefix(g.Text, "DIEN TAP") || strings.HasPrefix(g.Text, "EXERCISE"); marked != (g.Status == "Exercise") {
			t.Errorf("%s %q: %s", g.Template, g.Status, g.Text)
		}
	}
	// 29 templates in three forms: one of them is a test, two are exercises, and
	// every other one may be one.
	if count[""] != 78 || count["Exercise"] != 84 || count["Test"] != 3 {
		t.Errorf("texts to register by status: %v", count)
	}
	var b bytes.Buffer
	if err := r.Registration(&b, carrier, "json"); err != nil {
		t.Fatal(err)
	}
	var back []render.Registered
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, back); d != "" {
		t.Error(d)
	}
	if _, err := render.New(templates.FS, func() render.Options { o := options(); o.Registered = back; return o }()); err != nil {
		t.Errorf("the export is no configuration: %v", err)
	}
	for _, g := range back {
		if strings.Contains(g.Text, "{agency}") || g.Parts < 1 || g.Parts > 4 || g.Status == "" && g.Parts > 3 || len(g.Slots) == 0 || g.Longest == "" {
			t.Errorf("%+v", g)
		}
		if g.Template == "storm.near.sms-ascii.vi" && g.Status == "" {
			wantText := "BCH PTDS Quang Ninh {issued_at}: Bao {storm_name} gan Bien Dong, gio cap {wind}. {area}: tau thuyen khong vao vung bao. Cuu nan 112. Ma {code}"
			if g.Text != wantText || g.Encoding != "GSM-7" || g.Parts != 1 || !cmp.Equal(g.Slots[0], render.RegisteredSlot{Name: "issued_at", Type: "time", Longest: 11}) {
				t.Errorf("%+v", g)
			}
		}
	}
	b.Reset()
	if err := r.Registration(&b, carrier, "csv"); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(lines) != 166 || len(lines[0]) != 9 {
		t.Errorf("csv: %d lines, %v", len(lines), err)
	}
	if err := r.Registration(&b, carrier, "xml"); err == nil {
		t.Error("an unknown format was written")
	}
}

func TestBadConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	ok := render.Registered{Provider: "a", Sender: "LOA", Text: "Tin {code}", Slots: []render.RegisteredSlot{{Name: "code", Type: "code", Longest: 4}}}
	for _, c := range []struct {
		name, says string
		change     func(*render.Options)
	}{
		{"no part counter", "Parts", func(o *render.Options) { o.Parts = nil }},
		{"no clock", "Now", func(o *render.Options) { o.Now = nil }},
		{"an unknown twin", "twin", func(o *render.Options) { o.Twin = "both" }},
		{"no agency", "agency", func(o *render.Options) { o.Agency = render.Agency{} }},
		{"an agency too long for SMS", "at most 20", func(o *render.Options) { o.Agency.Short = "Ban Chỉ huy PTDS Quảng Ninh" }},
		{"no sender of a text", "provider", func(o *render.Options) { g := ok; g.Sender = ""; o.Registered = []render.Registered{g} }},
		{"the same text twice", "twice", func(o *render.Options) { o.Registered = []render.Registered{ok, ok} }},
		{"an untyped slot", "slot code", func(o *render.Options) { g := ok; g.Slots = nil; o.Registered = []render.Registered{g} }},
		{"an unknown type", "unknown type", func(o *render.Options) {
			g := ok
			g.Slots = []render.RegisteredSlot{{Name: "code", Type: "kode", Longest: 4}}
			o.Registered = []render.Registered{g}
		}},
		{"no longest value", "longest", func(o *render.Options) {
			g := ok
			g.Slots = []render.RegisteredSlot{{Name: "code", Type: "code"}}
			o.Registered = []render.Registered{g}
		}},
		{"a slot that is not there", "not in the text", func(o *render.Options) {
			g := ok
			g.Slots = append([]render.RegisteredSlot{{Name: "area", Type: "area", Longest: 4}}, g.Slots...)
			o.Registered = []render.Registered{g}
		}},
	} {
		opt := options()
		c.change(&opt)
		if _, err := render.New(templates.FS, opt); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
