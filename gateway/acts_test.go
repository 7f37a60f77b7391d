package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/config"
	"loa/gateway/desk"
)

// clerk is a desk with two people of it, on a real ledger.
type clerk struct {
	*Gateway
	author, other channels.Secret
	now           time.Time
}

// heard is an app channel that nobody listens to.
type heard struct{}

func (heard) Kind() channels.Kind { return channels.App }
func (heard) Live() bool          { return false }
func (heard) Broadcast(context.Context, channels.Message, []string) (channels.Ack, error) {
	return channels.Ack{}, nil
}

// openSpeaking is a gateway whose texts need no registration with a carrier.
func openSpeaking(t *testing.T) *Gateway {
	t.Helper()
	o := muteOptions(t, t.TempDir())
	o.Config.Channels = []config.Channel{{Driver: "heard"}}
	o.Config.Agency.Name = "Ban Chỉ huy Phòng chống sóng thần" // a name is no warning
	o.Drivers = []channels.Driver{{Name: "heard", Kind: channels.App, Open: func(func(any) error, channels.Deps) (any, error) { return heard{}, nil }}}
	return openOptions(t, o)
}

func newClerk(t *testing.T) *clerk {
	t.Helper()
	c := &clerk{Gateway: openSpeaking(t), now: time.Now().Truncate(time.Minute)}
	for i, token := range []*channels.Secret{&c.author, &c.other} {
		var err error
		if _, *token, err = c.Account.Add(t.Context(), fmt.Sprintf("Người trực %d", i), desk.Nation); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// slots are values that a template takes, but which message it is about.
func (c *clerk) slots(template, level string) map[string]string {
	at := func(h int) string { return c.now.Add(time.Duration(h) * time.Hour).Format(time.RFC3339) }
	fixed := map[string]string{"level": level, "storm_no": "3", "storm_name": "Yagi", "from": at(1), "until": at(5), "wind": "12-13", "hazard": "storm:3", "ack_url": "https://loa.example/x/K7M2"}
	kinds := map[string]string{"time": at(2), "int": "1", "decimal": "1.5", "range": "10-20", "gust": "16", "phone": "0203 000 0000"}
	values := map[string]string{}
	for _, s := range c.Renderer.Slots(template, "vi") {
		switch {
		case s.Name == "old_code" || s.Name == "old_at" || s.Name == "wind_kmh":
		case fixed[s.Name] != "":
			values[s.Name] = fixed[s.Name]
		case kinds[s.Type] != "":
			values[s.Name] = kinds[s.Type]
		case len(s.Values) > 0:
			values[s.Name] = s.Values[0]
		default:
			values[s.Name] = "Hạ Long"
		}
	}
	return values
}

func (c *clerk) info(template string, severity alert.Severity, level string) alert.Info {
	in := written(c.now, "06673")
	in.Template, in.Severity, in.Event, in.Headline, in.Description = template, severity, "Thiên tai", "", ""
	in.Expires = c.now.Add(6 * time.Hour)
	in.Slots = c.slots(template, level)
	return in
}

func (c *clerk) draftOf(in alert.Info) desk.DraftInput {
	return desk.DraftInput{Status: alert.Actual, Kinds: []channels.Kind{channels.App}, Infos: []alert.Info{in}}
}

// alone has the author sign what the author has drafted.
func (c *clerk) alone(t *testing.T, draft *desk.Case, err error) (*desk.Case, error) {
	t.Helper()
	if err == nil {
		draft, err = c.Desk.Submit(t.Context(), c.author, draft.ID)
	}
	if err == nil {
		draft, err = c.Desk.Approve(t.Context(), c.author, draft.ID, draft.Hash, "")
	}
	return draft, err
}

// live is a warning that is sent, by two people if that is needed.
func (c *clerk) live(t *testing.T, in alert.Info) *desk.Case {
	t.Helper()
	a, err := c.Desk.Draft(t.Context(), c.author, c.draftOf(in))
	if err == nil {
		a, err = c.Desk.Submit(t.Context(), c.author, a.ID)
	}
	if err == nil {
		a, err = c.Desk.Approve(t.Context(), c.other, a.ID, a.Hash, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// mild are the warnings that one person may send when they say little.
var mild = []string{"heavy_rain.warning"}

var severities = []alert.Severity{alert.Extreme, alert.Severe, alert.Moderate, alert.Minor, alert.UnknownSeverity}

// No single person sends a grave warning, whatever text and severity they
// choose.
func TestNobodyAloneSendsAGraveWarning(t *testing.T) {
	t.Parallel()
	c := newClerk(t)
	sent, refused := map[string]int{}, map[string]int{}
	for _, template := range c.Renderer.Templates() {
		for _, severity := range severities {
			for _, level := range []string{"1", "2", "3", "4"} {
				in := c.info(template, severity, level)
				draft, err := c.Desk.Draft(t.Context(), c.author, c.draftOf(in))
				_, err = c.alone(t, draft, err)
				_, stated := in.Slots["level"]
				grave := severity.Grave() || stated && level > "2" || !slices.Contains(mild, template)
				switch {
				case err == nil && grave:
					t.Errorf("one person has sent %s, %s, level %s", template, severity, level)
				case err == nil:
					sent[template]++
				case errors.Is(err, desk.ErrOwnAlert) && !grave:
					t.Errorf("%s, %s, level %s: %v", template, severity, level, err)
				case errors.Is(err, desk.ErrOwnAlert):
					refused[template]++
				}
			}
		}
	}
	// What is refused is refused for want of a signature, not for a bad slot.
	for _, template := range c.Renderer.Templates() {
		rule := c.Renderer.Rules()[template]
		if rule.Carries(alert.TextDraft) && rule.Status == "" && refused[template] == 0 {
			t.Errorf("%s was never ready to be signed", template)
		}
	}
	if len(sent) != len(mild) {
		t.Errorf("one person sends %v, want some of each of %v", sent, mild)
	}
}

// A danger is grave by what its text says: words and event of a mild text too.
func TestWordsThatNeedTwo(t *testing.T) {
	t.Parallel()
	c := newClerk(t)
	for name, change := range map[string]func(*alert.Info){
		"own words":           func(in *alert.Info) { in.Template, in.Headline, in.Description = "", "Tin", "Sắp có mưa." },
		"an event":            func(in *alert.Info) { in.Event = "Sóng thần mức 3" },
		"a cause":             func(in *alert.Info) { *in = c.info("infrastructure.outage", alert.Minor, "") },
		"flooded roads":       func(in *alert.Info) { *in = c.info("inundation.warning", alert.Minor, "1") },
		"letters alike":       func(in *alert.Info) { in.Event = "Мưa" },
		"an area":             func(in *alert.Info) { in.Areas[0].Desc = "Ven biển, nước dâng 5 m" },
		"who is addressed":    func(in *alert.Info) { in.Audience = "Sơ tán ngay" },
		"who speaks":          func(in *alert.Info) { in.SenderName = "Tin động đất" },
		"people are to leave": func(in *alert.Info) { in.ResponseTypes = []alert.ResponseType{"Evacuate"} },
		"a parameter": func(in *alert.Info) {
			in.Severity, in.Slots["level"], in.Parameters = alert.Severe, "3", []alert.NamedValue{{Name: alert.RiskLevelName, Value: "3"}}
		},
	} {
		in := c.info("heavy_rain.warning", alert.Minor, "1")
		change(&in)
		draft, err := c.Desk.Draft(t.Context(), c.author, c.draftOf(in))
		if _, err = c.alone(t, draft, err); !errors.Is(err, desk.ErrOwnAlert) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A text that one person alone may send has no slot for free words: no list of
// words knows every way to raise a danger in them.
func TestWordsThatOnePersonSends(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	fixed := []string{"time", "int", "decimal", "range", "gust", "code", "phone", "url"}
	looked := 0
	for template, rule := range g.Renderer.Rules() {
		if template == "" || rule.Two || len(rule.Acts) == 0 || rule.Status != "" {
			continue
		}
		looked++
		for _, lang := range []string{"vi", "en"} {
			for _, s := range g.Renderer.Slots(template, lang) {
				if len(s.Values) == 0 && !slices.Contains(fixed, s.Type) {
					t.Errorf("%s, %s: slot %s takes %s, and one person sends it", template, lang, s.Name, s.Type)
				}
			}
		}
	}
	if looked != 5 {
		t.Errorf("looked at %d texts", looked)
	}
}

// each act on an alert, by one person alone.
func (c *clerk) act(t *testing.T, act alert.TextAct, id alert.ID, in alert.Info) (*desk.Case, error) {
	t.Helper()
	if act == alert.TextCorrect || act == alert.TextStop {
		in.Areas, in.Expires = nil, time.Time{}
		if act == alert.TextCorrect {
			return c.Desk.Correct(t.Context(), c.author, id, desk.CorrectInput{Reason: "thử", Infos: []alert.Info{in}})
		}
		return c.Desk.Stop(t.Context(), c.author, id, desk.StopInput{Reason: "thử", Notice: []alert.Info{in}})
	}
	d := c.draftOf(in)
	if act == alert.TextUpdate {
		draft, err := c.Desk.Update(t.Context(), c.author, id, d)
		return c.alone(t, draft, err)
	}
	d.Infos[0].ResponseTypes = []alert.ResponseType{"AllClear"}
	draft, err := c.Desk.AllClear(t.Context(), c.author, id, d)
	return c.alone(t, draft, err)
}

// On a live alert one person alone sends corrections and a stop's notice, each
// in its own texts, and nothing that is graver than the alert.
func TestEachActTakesItsOwnTexts(t *testing.T) {
	t.Parallel()
	c := newClerk(t)
	want := map[string][]alert.TextAct{
		"any.correction_false": {alert.TextCorrect}, "any.stop": {alert.TextStop},
	}
	for _, first := range []alert.Info{c.info("storm.on_land", alert.Extreme, "4"), c.info("heavy_rain.warning", alert.Moderate, "2")} {
		hazard := strings.TrimSuffix(first.Template, ".warning")
		if first.Template == "storm.on_land" {
			hazard = "storm:3"
		}
		got := map[string][]alert.TextAct{}
		for _, act := range []alert.TextAct{alert.TextUpdate, alert.TextAllClear, alert.TextCorrect, alert.TextStop} {
			live, tried := c.live(t, first), severities
			if act == alert.TextUpdate || act == alert.TextAllClear {
				tried = []alert.Severity{alert.Extreme, first.Severity, alert.Minor} // the rest is that of new warnings
			}
			for _, template := range append(c.Renderer.Templates(), "") {
				for _, severity := range tried {
					in := c.info(template, severity, "4")
					if _, ok := in.Slots["hazard"]; ok {
						in.Slots["hazard"] = hazard
					}
					if template == "" {
						in.Headline, in.Description = "Tin", "Sắp có mưa."
					}
					by, err := c.act(t, act, live.ID, in)
					if err != nil || by.State == alert.Submitted { // it waits for another person
						continue
					}
					if by.Submission.Revision != nil && severity.Rank() > first.Severity.Rank() {
						t.Errorf("%s of %s by %s: one person says %s", act, first.Template, template, severity)
					}
					if !slices.Contains(got[template], act) {
						got[template] = append(got[template], act)
					}
					live = c.live(t, first)
				}
			}
		}
		wanted := maps.Clone(want)
		if first.Template != "storm.on_land" { // an all-clear of what one person may send
			wanted["any.all_clear"] = []alert.TextAct{alert.TextAllClear}
		}
		if fmt.Sprint(got) != fmt.Sprint(wanted) {
			t.Errorf("on %s one person alone sends %v, want %v", first.Template, got, wanted)
		}
	}
}

// refused asserts the field and words of a refusal.
func refused(t *testing.T, name string, err error, field string, words ...string) {
	t.Helper()
	var input *desk.InputError
	if !errors.As(err, &input) || input.Field != field {
		t.Errorf("%s: %v, want a refusal of %s", name, err, field)
		return
	}
	for _, w := range words {
		if !strings.Contains(input.Rule, w) {
			t.Errorf("%s: %q does not say %q", name, input.Rule, w)
		}
	}
}

// The correction of a mistaken all-clear says that the danger remains.
func TestAMistakenAllClear(t *testing.T) {
	t.Parallel()
	c := newClerk(t)
	live := c.live(t, c.info("storm.on_land", alert.Extreme, "4"))
	in := c.info("any.all_clear", alert.Minor, "")
	in.ResponseTypes = []alert.ResponseType{"AllClear"}
	clear, err := c.Desk.AllClear(t.Context(), c.author, live.ID, c.draftOf(in))
	if err == nil {
		clear, err = c.Desk.Submit(t.Context(), c.author, clear.ID)
	}
	if err == nil {
		clear, err = c.Desk.Approve(t.Context(), c.other, clear.ID, clear.Hash, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"any.correction_false", "any.correction_detail"} {
		_, err = c.act(t, alert.TextCorrect, clear.ID, c.info(wrong, alert.Minor, ""))
		refused(t, wrong, err, "infos[0].template", "any.correction_all_clear", "danger remains")
	}
	by, err := c.act(t, alert.TextCorrect, clear.ID, alert.Info{Language: "vi-VN", Template: "any.correction_all_clear"})
	if err != nil {
		t.Fatal(err)
	}
	text := by.Submission.Revision.Infos[0]
	if !strings.Contains(text.Headline, "vẫn còn nguy hiểm do bão số 3") || strings.Contains(text.Description, "Không có bão") {
		t.Errorf("%s: %s", text.Headline, text.Description)
	}
	// What says that the danger remains is corrected as any warning is; and one
	// who was told that there is none learns that it remains.
	_, err = c.act(t, alert.TextCorrect, by.ID, c.info("any.correction_all_clear", alert.Minor, ""))
	refused(t, "of a danger", err, "infos[0].template", "any.correction_detail, any.correction_false")
	none, err := c.act(t, alert.TextCorrect, by.ID, c.info("any.correction_false", alert.Minor, ""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.act(t, alert.TextCorrect, none.ID, c.info("any.correction_all_clear", alert.Extreme, "")); err != nil {
		t.Errorf("a mistaken correction: %v", err)
	}
}

// What a text says of the message that it is about is compared with it.
func TestTheHazardIsThatOfTheMessage(t *testing.T) {
	t.Parallel()
	c := newClerk(t)
	live := c.live(t, c.info("storm.on_land", alert.Extreme, "4"))
	for name, tc := range map[string]struct {
		act    alert.TextAct
		change func(*alert.Info)
		field  string
		words  string
	}{
		"another storm":     {alert.TextCorrect, func(in *alert.Info) { in.Slots["hazard"] = "storm:4" }, "infos[0].slots.hazard", "must be storm:3"},
		"another danger":    {alert.TextCorrect, func(in *alert.Info) { in.Slots["hazard"] = "tsunami" }, "infos[0].slots.hazard", "must be storm:3"},
		"another code":      {alert.TextCorrect, func(in *alert.Info) { in.EventCodes = []alert.NamedValue{{Name: alert.HazardName, Value: "flood"}} }, "infos[0].eventCodes[0]", "as in the message it is about"},
		"an update":         {alert.TextUpdate, func(in *alert.Info) { in.Slots["hazard"] = "flood" }, "infos[0].slots.hazard", "storm:3"},
		"an all-clear":      {alert.TextAllClear, func(in *alert.Info) { in.Slots["hazard"] = "storm:5" }, "infos[0].slots.hazard", "storm:3"},
		"a tsunami's":       {alert.TextAllClear, func(in *alert.Info) { *in = c.info("tsunami.cancel", alert.Minor, "") }, "infos[0].template", "about tsunami"},
		"the last of a 4th": {alert.TextAllClear, func(in *alert.Info) { *in = c.info("storm.final", alert.Minor, ""); in.Slots["storm_no"] = "4" }, "infos[0].slots.storm_no", "storm:3"},
		"new dangers":       {alert.TextCorrect, func(in *alert.Info) { in.Event = "Sóng thần" }, "infos[0].event", "update"},
	} {
		template := map[alert.TextAct]string{alert.TextCorrect: "any.correction_false", alert.TextUpdate: "any.update", alert.TextAllClear: "any.all_clear"}[tc.act]
		in := c.info(template, alert.Minor, "")
		tc.change(&in)
		_, err := c.act(t, tc.act, live.ID, in)
		refused(t, name, err, tc.field, tc.words)
	}
	for _, hazard := range []string{"storm:3", "storm:Yagi", "storm"} {
		in := c.info("any.correction_false", alert.Minor, "")
		in.Slots["hazard"] = hazard
		if _, err := c.act(t, alert.TextCorrect, c.live(t, c.info("storm.on_land", alert.Extreme, "4")).ID, in); err != nil {
			t.Errorf("%s: %v", hazard, err)
		}
	}
	in := c.info("heavy_rain.warning", alert.Minor, "1")
	in.EventCodes = []alert.NamedValue{{Name: alert.HazardName, Value: "tsunami"}}
	draft, err := c.Desk.Draft(t.Context(), c.author, c.draftOf(in))
	_, err = c.alone(t, draft, err)
	refused(t, "a draft's code", err, "infos[0].eventCodes[0]", "must be heavy_rain")
}
