package gateway

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
)

// written is a lawful text in Vietnamese over some codes.
func written(now time.Time, codes ...area.Code) alert.Info {
	in := alert.Info{
		Language: "vi-VN", Categories: []alert.Category{"Met"}, Event: "Bão", Urgency: "Immediate", Severity: alert.Minor, Certainty: "Likely",
		Expires: now.Add(time.Hour), SenderName: "Ban Chỉ huy", Headline: "Bão số 3 đang đổ bộ", Description: "Gió rất mạnh.",
	}
	if len(codes) > 0 {
		a := alert.Area{Desc: "Ven biển"}
		for _, c := range codes {
			a.Geocodes = append(a.Geocodes, alert.NamedValue{Name: area.ValueName, Value: string(c)})
		}
		in.Areas = []alert.Area{a}
	}
	return in
}

// A text about an earlier message names that message's code and time.
func TestATextNamesTheMessageItIsAbout(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	now := time.Now().Truncate(time.Second)
	_, token, err := g.Account.Add(t.Context(), "Người trực", desk.Nation)
	if err != nil {
		t.Fatal(err)
	}
	in := written(now, "06673")
	in.Template = ""
	old, err := g.Desk.Draft(t.Context(), token, desk.DraftInput{Status: alert.Actual, Infos: []alert.Info{in}})
	if err != nil {
		t.Fatal(err)
	}
	r := old.Submission.Revision
	r.Sent = now
	for name, c := range map[string]struct {
		slots map[string]string
		field string // "" when all is well
	}{
		"both right":          {map[string]string{"old_code": r.Code, "old_at": now.UTC().Format(time.RFC3339)}, ""},
		"neither is given":    {map[string]string{"hazard": "storm:3"}, ""},
		"another code":        {map[string]string{"old_code": "AAAA"}, "infos[0].slots.old_code"},
		"another time":        {map[string]string{"old_code": r.Code, "old_at": now.Add(-time.Minute).Format(time.RFC3339)}, "infos[0].slots.old_at"},
		"no time at all":      {map[string]string{"old_at": "13h30"}, "infos[0].slots.old_at"},
		"an empty code":       {map[string]string{"old_code": ""}, "infos[0].slots.old_code"},
		"its seconds differ":  {map[string]string{"old_at": now.Truncate(time.Minute).Format(time.RFC3339)}, ""},
		"the hour of another": {map[string]string{"old_at": now.Add(time.Hour).Format(time.RFC3339)}, "infos[0].slots.old_at"},
	} {
		err := g.namesOf(&alert.Revision{Infos: []alert.Info{{Slots: c.slots}}}, r)
		var input *desk.InputError
		if c.field == "" && err != nil || c.field != "" && (!errors.As(err, &input) || input.Field != c.field) {
			t.Errorf("%s: %v, want %q", name, err, c.field)
		}
	}
	// The desk asks before anything is signed.
	s := &desk.Submission{Revision: &alert.Revision{Infos: []alert.Info{{Language: "vi", Slots: map[string]string{"old_code": "AAAA"}}}}}
	s.Replaces = &dispatch.Reached{Alert: old.ID, Revision: 1}
	var input *desk.InputError
	if err := g.checkTexts(t.Context(), s); !errors.As(err, &input) || !strings.Contains(input.Rule, r.Code) {
		t.Errorf("checkTexts: %v, want the code %s", err, r.Code)
	}
	s.Replaces = nil
	if err := g.checkNamed(t.Context(), s); err != nil {
		t.Errorf("about no other message: %v", err)
	}
	s.Replaces = &dispatch.Reached{Alert: "nix", Revision: 1}
	if err := g.checkTexts(t.Context(), s); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("what is replaced does not exist: %v", err)
	}
}

// An author may leave out which message a text is about: the newest that it
// refers to, if that is one of ours.
func TestTheEarlierMessageIsFilledIn(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	inForce(t, g, "first", nil)
	inForce(t, g, "second", func(c *desk.Case) { c.Submission.Revision.Code = "H4PX" })
	sent := time.Now().Truncate(time.Second)
	ref := func(identifier string) alert.Reference {
		return alert.Reference{Sender: "loa.invalid", Identifier: identifier, Sent: sent}
	}
	second, err := g.ledger.Desk().Case(t.Context(), "second")
	if err != nil {
		t.Fatal(err)
	}
	ours := second.Submission.Revision.Identifier
	for name, c := range map[string]struct {
		slots map[string]string
		refs  []alert.Reference
		code  string // "" when it is refused
	}{
		"left out":       {map[string]string{"hazard": "storm:3"}, []alert.Reference{ref("first.1"), ref(ours)}, "H4PX"},
		"given":          {map[string]string{"hazard": "storm:3", "old_code": "K7M2"}, []alert.Reference{ref(ours)}, "K7M2"},
		"no slots":       {nil, []alert.Reference{ref(ours)}, ""},
		"another agency": {map[string]string{"hazard": "storm:3"}, []alert.Reference{ref("VN.2.4.9")}, ""},
		"no reference":   {map[string]string{"hazard": "storm:3"}, nil, ""},
	} {
		in := written(time.Now(), "06673")
		in.Template, in.Slots = "any.correction_false", maps.Clone(c.slots)
		rev := &alert.Revision{Code: "QN7K", Sent: sent, Status: alert.Actual, References: c.refs, Infos: []alert.Info{in}}
		err := g.complete(t.Context(), rev)
		got := rev.Infos[0].Slots
		switch {
		case c.code == "" && (err == nil || !strings.Contains(err.Error(), "infos[0].slots.")):
			t.Errorf("%s: %v", name, err)
		case c.code != "" && (err != nil || got["old_code"] != c.code || got["old_at"] != sent.Format(time.RFC3339)):
			t.Errorf("%s: %v, %v", name, got, err)
		case len(in.Slots) != len(c.slots):
			t.Errorf("%s: what the author wrote was changed: %v", name, in.Slots)
		}
	}
}

// A message in its author's own words may be about what no text can name: then
// its correction names what comes nearest.
func TestHazardsThatNoTextNames(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	for code, want := range map[string][]string{"volcano": nil, "flood": {"flood"}, "flash_flood|landslide": {"flash_flood|landslide", "flash_flood", "landslide"}} {
		old := written(time.Now(), "06673")
		old.Template, old.Slots, old.EventCodes = "", nil, []alert.NamedValue{{Name: alert.HazardName, Value: code}}
		if got := g.hazardsOf(&alert.Revision{Infos: []alert.Info{old}}); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", code, got, want)
		}
		later := written(time.Now(), "06673")
		later.Template, later.Slots = "any.correction_false", map[string]string{"hazard": "flood"}
		err := g.namesOf(&alert.Revision{Infos: []alert.Info{later}}, &alert.Revision{Infos: []alert.Info{old}})
		if named := code != "flash_flood|landslide"; (err == nil) != named {
			t.Errorf("%s: a correction that names a flood: %v", code, err)
		}
	}
}

func TestVietnameseIsRequired(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	in := written(time.Now(), "06673")
	in.Language = "en-US"
	err := g.checkTexts(t.Context(), &desk.Submission{Revision: &alert.Revision{Infos: []alert.Info{in}}, Kinds: []channels.Kind{channels.App}})
	var input *desk.InputError
	if !errors.As(err, &input) || input.Field != "infos" {
		t.Errorf("%v", err)
	}
}

// What an official writes about two provinces is in the headline that is signed.
func TestProvincesAreNamed(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	all, err := g.Areas.Expand([]area.Code{"22", "31"})
	if err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[string]string{"vi-VN": "tỉnh Quảng Ninh và thành phố Hải Phòng không ra ngoài", "en-US": "Quang Ninh Province and Haiphong City stay indoors"} {
		in := written(time.Now(), all...)
		in.Language, in.Template = lang, "storm.on_land"
		in.Slots = map[string]string{"storm_no": "3", "storm_name": "Yagi", "level": "4", "wind": "12-13", "gust": "16", "place": "Ha Long", "distance": "15"}
		rev := &alert.Revision{Code: "K7M2", Sent: time.Now(), Status: alert.Actual, Infos: []alert.Info{in}}
		if err := g.complete(t.Context(), rev); err != nil || !strings.HasSuffix(rev.Infos[0].Headline, ": "+want) {
			t.Errorf("%v: %s", err, rev.Infos[0].Headline)
		}
	}
	// Every slot that is wrong is named, with its info.
	in := written(time.Now(), "06673")
	in.Template, in.Slots = "storm.on_land", map[string]string{"storm_no": "3", "winds": "12"}
	err = g.complete(t.Context(), &alert.Revision{Code: "K7M2", Sent: time.Now(), Status: alert.Actual, Infos: []alert.Info{written(time.Now()), in}})
	got := fmt.Sprint(err)
	for _, slot := range []string{"storm_name", "level", "wind", "winds", "gust", "place", "distance"} {
		if !strings.Contains(got, "infos[1].slots."+slot+": ") {
			t.Errorf("%s is not named in %s", slot, got)
		}
	}
}
