package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/channels/sms"
	"loa/configs"
	"loa/gateway"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/config"
	"loa/gateway/render"
	"loa/gateway/web/api"
	"loa/templates"
)

// carrier stands in the place of one: what is tested is shown before anything
// is sent.
type carrier struct{ channels.Sender }

func (carrier) Kind() channels.Kind { return channels.SMS }
func (carrier) Provider() string    { return "twilio" }
func (carrier) Live() bool          { return false }

// openSMS is a desk whose only channel is SMS, with the catalogue registered.
func openSMS(t *testing.T) *desk {
	t.Helper()
	cfg := config.Default()
	cfg.Data, cfg.Redis = t.TempDir(), config.Redis{None: true}
	cfg.Channels = []config.Channel{{Driver: "carrier"}}
	if _, err := gateway.RegisterAll(cfg, templates.FS, sms.Parts, render.Sender{Provider: "twilio", Sender: "LOA"}); err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(t.Context(), gateway.Options{
		Config: cfg, Templates: templates.FS, Facts: configs.Areas, Parts: sms.Parts,
		Drivers: []channels.Driver{{Name: "carrier", Kind: channels.SMS, Open: func(func(any) error, channels.Deps) (any, error) { return carrier{}, nil }}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	d := &desk{t: t, handler: g.LocalHandler()}
	_, token, err := g.Account.Add(t.Context(), "Người trực", "VN")
	if err != nil {
		t.Fatal(err)
	}
	d.author = token.Reveal()
	return d
}

// Whoever signs is shown every commune by code and name, when it is submitted
// and whenever it is looked at, but not in lists.
func TestEveryCommuneIsShown(t *testing.T) {
	t.Parallel()
	d := open(t)
	a := d.must("POST", "/alerts", d.other, draft("Extreme", `"22","31","06673"`))
	if a.Targets != nil || a.TwoPeople {
		t.Errorf("a draft shows targets %v, two people %v", a.Targets, a.TwoPeople)
	}
	if desc := a.Draft.Infos[0].Areas[0].Desc; desc != "Tỉnh Quảng Ninh, Thành phố Hải Phòng" {
		t.Errorf("the area is described as %s", desc)
	}
	submitted := d.must("POST", "/alerts/"+string(a.ID)+"/submit", d.other, "")
	shown := d.must("GET", "/alerts/"+string(a.ID), d.author, "")
	dir, err := area.Load(configs.Areas)
	if err != nil {
		t.Fatal(err)
	}
	var want []api.Target
	for _, u := range slices.Concat(dir.Communes("22"), dir.Communes("31")) {
		want = append(want, api.Target{Code: u.Code, Name: u.FullName})
	}
	slices.SortFunc(want, func(a, b api.Target) int { return strings.Compare(string(a.Code), string(b.Code)) })
	for name, got := range map[string]api.Alert{"submit": submitted, "status": shown} {
		if !slices.Equal(got.Targets, want) || got.Communes != 168 || !got.TwoPeople {
			t.Errorf("%s: %d targets of %d communes, two people %v", name, len(got.Targets), got.Communes, got.TwoPeople)
		}
	}
	if body := d.call("GET", "/alerts", d.author, "", nil).Body.String(); strings.Contains(body, `"targets"`) || !strings.Contains(body, string(a.ID)) {
		t.Errorf("list: %s", body)
	}
}

// The text that is shown is the longest of all communes, not that of the first:
// with marks a ward's name is longer, without them the special zone's.
func TestTheLongestTextIsShown(t *testing.T) {
	t.Parallel()
	d := openSMS(t)
	a := d.must("POST", "/alerts", d.author, draft("Extreme", `"06673","06652","07192"`))
	a = d.must("POST", "/alerts/"+string(a.ID)+"/submit", d.author, "")
	var got []string
	for _, text := range a.SMS {
		got = append(got, text.Template+" "+text.Name)
	}
	want := []string{"storm.on_land.sms.vi Phường Bãi Cháy", "storm.on_land.sms-ascii.vi Đặc khu Cô Tô"}
	if !slices.Equal(got, want) || !a.TwoPeople || a.Communes != 3 {
		t.Errorf("%q, want %q", got, want)
	}
}

// What is refused is worded for people: the field, the rule, no room's name.
func TestRefusalsAreWorded(t *testing.T) {
	t.Parallel()
	d := open(t)
	english := strings.Replace(draft("Minor", `"06673"`), "vi-VN", "en-US", 1)
	id := d.must("POST", "/alerts", d.author, english).ID
	unknown := strings.Replace(draft("Minor", `"06673"`), `"status"`, `"sourc":"x","status"`, 1)
	abroad := d.must("POST", "/alerts", d.elsewhere, draft("Minor", `"06673"`)).ID
	lost := d.must("POST", "/alerts", d.author, strings.Replace(draft("Extreme", `"06673"`), `"level":"4","wind":"12-13",`, "", 1)).ID
	for name, c := range map[string]struct {
		path, token, body string
		status            int
		fields            []string
		detail            string
	}{
		"no Vietnamese":       {"/alerts/" + string(id) + "/submit", d.author, "", 422, []string{"infos"}, ""},
		"an unknown key":      {"/alerts", d.author, unknown, 400, []string{"sourc"}, `sourc: unknown field "sourc"; keys are case-sensitive`},
		"nobody":              {"/alerts", "loa_x", unknown, 401, nil, "it is missing, mistyped or has been revoked"},
		"outside":             {"/alerts/" + string(abroad) + "/submit", d.elsewhere, "", 403, nil, "the alert's area is outside the person's territory: commune 06673, territory 01"},
		"two slots missing":   {"/alerts/" + string(lost) + "/submit", d.author, "", 422, []string{"infos[0].slots.level", "infos[0].slots.wind"}, "the alert cannot be issued as it is"},
		"no such alert there": {"/alerts/nix/submit", d.author, "", 404, nil, "alert nix: no such alert"},
	} {
		w := d.call("POST", c.path, c.token, c.body, nil)
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != c.status {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
			continue
		}
		var fields []string
		for _, f := range p.Errors {
			fields = append(fields, f.Field)
		}
		if !slices.Equal(fields, c.fields) || c.detail != "" && p.Detail != c.detail {
			t.Errorf("%s: %s", name, w.Body)
		}
		for _, room := range []string{"desk: ", "ledger: ", "alert: ", "account: ", "render: "} {
			if strings.Contains(p.Detail, room) {
				t.Errorf("%s: %s", name, p.Detail)
			}
		}
	}
}

// A geocode of another register addresses nobody, and that is said whenever
// the alert is looked at; alone it names no commune and is refused.
func TestForeignGeocodesAreNamed(t *testing.T) {
	t.Parallel()
	d := open(t)
	text := strings.Replace(draft("Minor", `"06673"`), `"codes":`, `"geocodes":[{"name":"UGC","value":"VNZ001"}],"codes":`, 1)
	a := d.must("POST", "/alerts", d.author, text)
	path := "/alerts/" + string(a.ID)
	for name, shown := range map[string]api.Alert{"draft": a, "submit": d.must("POST", path+"/submit", d.author, ""), "status": d.must("GET", path, d.other, "")} {
		if len(shown.Notes) != 1 || !strings.Contains(shown.Notes[0].Text, "infos[0].areas[0]: the geocode VNZ001 of the register UGC names no commune here") {
			t.Errorf("%s: %+v", name, shown.Notes)
		}
	}
	alone := strings.Replace(text, `,"codes":["06673"]`, "", 1)
	id := d.must("POST", "/alerts", d.author, alone).ID
	if w := d.call("POST", "/alerts/"+string(id)+"/submit", d.author, "", nil); w.Code != 422 || !strings.Contains(w.Body.String(), "A17") {
		t.Errorf("foreign geocodes alone: %d %s", w.Code, w.Body)
	}
	now := time.Now().In(time.FixedZone("", 7*60*60))
	message := fmt.Sprintf(`<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>x.1</identifier><sender>nchmf.example</sender><sent>%s</sent>
<status>Actual</status><msgType>Alert</msgType><scope>Public</scope><info><language>vi-VN</language><category>Met</category><event>Bão</event>
<urgency>Immediate</urgency><severity>Severe</severity><certainty>Likely</certainty><headline>Bão gần bờ</headline><area><areaDesc>Bãi Cháy</areaDesc>
<geocode><valueName>%s</valueName><value>06673</value></geocode><geocode><valueName>SAME</valueName><value>006015</value></geocode></area></info></alert>`,
		now.Format("2006-01-02T15:04:05-07:00"), area.ValueName)
	w := d.call("POST", "/alerts", d.author, message, map[string]string{"Content-Type": "application/cap+xml"})
	var drafted api.Alert
	if err := json.Unmarshal(w.Body.Bytes(), &drafted); err != nil || drafted.State != alert.Drafted {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if !slices.ContainsFunc(drafted.Notes, func(n api.Note) bool { return strings.Contains(n.Text, "006015 of the register SAME") }) {
		t.Errorf("%+v", drafted.Notes)
	}
}
