package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/channels/app"
	"loa/configs"
	"loa/gateway"
	"loa/gateway/area"
	"loa/gateway/config"
	"loa/gateway/web/api"
	"loa/templates"
)

// desk is a gateway on a temporary folder, with three people.
type desk struct {
	t                        *testing.T
	gateway                  *gateway.Gateway
	handler                  http.Handler
	author, other, elsewhere string // tokens: Quảng Ninh, the nation, Hà Nội
}

func open(t *testing.T) *desk {
	t.Helper()
	cfg := config.Default()
	cfg.Data, cfg.Redis = t.TempDir(), config.Redis{None: true}
	g, err := gateway.New(t.Context(), gateway.Options{
		Config: cfg, Drivers: []channels.Driver{app.Driver()}, Templates: templates.FS, Facts: configs.Areas,
		Parts: func(s string) (int, string) { return 1 + len(s)/160, "GSM-7" },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	d := &desk{t: t, gateway: g, handler: g.LocalHandler()}
	for who, territory := range map[*string]area.Code{&d.author: "22", &d.other: "VN", &d.elsewhere: "01"} {
		_, token, err := g.Account.Add(t.Context(), "Người trực", territory)
		if err != nil {
			t.Fatal(err)
		}
		*who = token.Reveal()
	}
	return d
}

// call does one request; "key" and "type" in set replace the usual headers, an
// empty value leaves one out.
func (d *desk) call(method, path, token, body string, set map[string]string) *httptest.ResponseRecorder {
	d.t.Helper()
	r := httptest.NewRequestWithContext(d.t.Context(), method, "/api/v1"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	headers := map[string]string{"Content-Type": "application/json", "Idempotency-Key": fmt.Sprintf("%s-%d", path, time.Now().UnixNano())}
	maps.Copy(headers, set)
	for k, v := range headers {
		if v == "" {
			r.Header.Del(k)
		} else {
			r.Header.Set(k, v)
		}
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w
}

// must does a request that is to succeed and decodes the answer.
func (d *desk) must(method, path, token, body string) api.Alert {
	d.t.Helper()
	w := d.call(method, path, token, body, nil)
	var a api.Alert
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code >= 300 {
		d.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return a
}

// draft is a warning over some codes: of a storm, or of rain where the severity
// is none of a storm.
func draft(severity, codes string) string {
	now := time.Now().In(time.FixedZone("", 7*60*60)).Truncate(time.Second)
	text := `{"status":"Actual","infos":[{"language":"vi-VN","template":%q,"categories":["Met"],"event":"Thiên tai",
	"responseTypes":["Shelter"],"urgency":"Immediate","severity":%q,"certainty":"Observed","onset":%q,"expires":%q,
	"slots":{"until":%q,"storm_no":"3","storm_name":"Yagi","rain":"100-200","rain_max":"300","level":%q,"wind":"12-13","wind_kmh":"118-149","gust":"16",
	"direction":"WNW","speed":"15-20","place":"Bãi Cháy","distance":"15"},"areas":[{"codes":[%s]}]}]}`
	at, until := now.Format(time.RFC3339), now.Add(6*time.Hour).Format(time.RFC3339)
	template, level := "storm.on_land", map[string]string{"Extreme": "4", "Severe": "3", "Moderate": "2", "Minor": "1"}[severity]
	if level < "3" {
		template = "heavy_rain.warning"
	}
	return fmt.Sprintf(text, template, severity, at, until, until, level, codes)
}

func (d *desk) submitted(severity string) api.Alert {
	d.t.Helper()
	a := d.must("POST", "/alerts", d.author, draft(severity, `"06673"`))
	return d.must("POST", "/alerts/"+string(a.ID)+"/submit", d.author, "")
}

func hash(h string) string { return `{"hash":"` + h + `"}` }

func TestRefusals(t *testing.T) {
	t.Parallel()
	d := open(t)
	grave := d.submitted("Extreme")
	id := "/alerts/" + string(grave.ID)
	plainDraft := "/alerts/" + string(d.must("POST", "/alerts", d.author, draft("Minor", `"06673"`)).ID)
	abroad := "/alerts/" + string(d.must("POST", "/alerts", d.elsewhere, draft("Minor", `"06673"`)).ID)
	stopped := d.submitted("Minor")
	stoppedID := "/alerts/" + string(stopped.ID)
	d.must("POST", stoppedID+"/approve", d.author, hash(stopped.Hash))
	d.must("POST", stoppedID+"/stop", d.author, `{"reason":"nhầm"}`)
	zero := strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		method, path, token, body string
		set                       map[string]string
		status                    int
		kind                      string
	}{
		"no such token":           {"GET", "/alerts", "loa_x", "", nil, 401, "no-token"},
		"no token at all":         {"GET", "/alerts", "", "", nil, 401, "no-token"},
		"a local route, no token": {"GET", "/owner/people", "", "", nil, 200, ""},
		"no such path":            {"GET", "/alarms", d.author, "", nil, 404, "not-found"},
		"no such method":          {"DELETE", "/alerts", d.author, "", nil, 405, "method"},
		"method override":         {"GET", "/alerts?_method=POST", d.author, "", map[string]string{"X-HTTP-Method-Override": "POST"}, 200, ""},
		"no such alert":           {"GET", "/alerts/nix", d.author, "", nil, 404, "not-found"},
		"a bad state":             {"GET", "/alerts?state=live", d.author, "", nil, 400, "malformed"},
		"a bad limit":             {"GET", "/alerts?limit=501", d.author, "", nil, 400, "malformed"},
		"no key":                  {"POST", "/alerts", d.author, draft("Minor", `"06673"`), map[string]string{"Idempotency-Key": ""}, 400, "malformed"},
		"a long key":              {"POST", "/alerts", d.author, draft("Minor", `"06673"`), map[string]string{"Idempotency-Key": strings.Repeat("x", 201)}, 400, "malformed"},
		"B24 no media type":       {"POST", "/alerts", d.author, draft("Minor", `"06673"`), map[string]string{"Content-Type": ""}, 415, "media-type"},
		"B30 a form's type":       {"POST", "/alerts", d.author, draft("Minor", `"06673"`), map[string]string{"Content-Type": "text/plain"}, 415, "media-type"},
		"another charset":         {"POST", "/alerts", d.author, "{}", map[string]string{"Content-Type": "application/json; charset=utf-16"}, 415, "media-type"},
		"too large":               {"POST", "/alerts", d.author, `{"note":"` + strings.Repeat("x", api.MaxBody) + `"}`, nil, 413, "too-large"},
		"B05 no codes":            {"POST", "/alerts", d.author, draft("Minor", ""), nil, 422, "invalid"},
		"B05 no areas":            {"POST", "/alerts", d.author, strings.Replace(draft("Minor", ""), `[{"codes":[]}]`, "[]", 1), nil, 422, "invalid"},
		"B06 abolished":           {"POST", "/alerts", d.author, draft("Minor", `"06649"`), nil, 422, "area"},
		"unknown code":            {"POST", "/alerts", d.author, draft("Minor", `"99999"`), nil, 422, "area"},
		"no boundaries":           {"POST", "/alerts", d.author, strings.Replace(draft("Minor", ""), `"codes":[]`, `"circles":[{"center":[20.9,107],"radius":5}]`, 1), nil, 422, "no-boundaries"},
		"a shape that is none":    {"POST", "/alerts", d.author, strings.Replace(draft("Minor", ""), `"codes":[]`, `"circles":[{"center":[20.9,107],"radius":-1}]`, 1), nil, 422, "invalid"},
		"no status":               {"POST", "/alerts", d.author, `{"infos":[]}`, nil, 422, "invalid"},
		"no such channel":         {"POST", "/alerts", d.author, strings.Replace(draft("Minor", `"06673"`), `{"status"`, `{"kinds":["sms"],"status"`, 1), nil, 422, "invalid"},
		"B07 outside":             {"POST", abroad + "/submit", d.elsewhere, "", nil, 403, "territory"},
		"not the author":          {"POST", plainDraft + "/submit", d.other, "", nil, 403, "no-authority"},
		"approve a draft":         {"POST", plainDraft + "/approve", d.other, hash(zero), nil, 409, "state"},
		"B16 own Extreme":         {"POST", id + "/approve", d.author, hash(grave.Hash), nil, 403, "own-alert"},
		"B18 another hash":        {"POST", id + "/approve", d.other, hash(zero), nil, 409, "hash"},
		"no hash":                 {"POST", id + "/approve", d.other, hash("xyz"), nil, 422, "invalid"},
		"approve from elsewhere":  {"POST", id + "/approve", d.elsewhere, hash(grave.Hash), nil, 403, "territory"},
		"edit when submitted":     {"PUT", id, d.author, draft("Minor", `"06673"`), nil, 409, "state"},
		"submit twice":            {"POST", id + "/submit", d.author, "{}", nil, 409, "state"},
		"submit with a field":     {"POST", id + "/submit", d.author, `{"hash":"x"}`, nil, 400, "malformed"},
		"B19 approve when ended":  {"POST", stoppedID + "/approve", d.other, hash(stopped.Hash), nil, 409, "state"},
		"stop without a reason":   {"POST", stoppedID + "/stop", d.author, `{"reason":""}`, nil, 422, "invalid"},
		"correct with areas":      {"POST", stoppedID + "/correct", d.author, `{"reason":"x","infos":[{"areas":[]}]}`, nil, 422, "invalid"},
		"correct with nothing":    {"POST", stoppedID + "/correct", d.author, `{"reason":"x","infos":[]}`, nil, 422, "invalid"},
		"update of a draft":       {"POST", plainDraft + "/update", d.author, draft("Minor", `"06673"`), nil, 409, "state"},
		"no all-clear":            {"POST", stoppedID + "/all-clear", d.author, draft("Minor", `"06673"`), nil, 422, "invalid"},
		"a broken CAP":            {"POST", "/alerts", d.author, "<alert>", map[string]string{"Content-Type": "application/cap+xml"}, 422, "cap"},
		"a nameless person":       {"POST", "/owner/people", "", `{"name":" ","territory":"VN"}`, nil, 422, "invalid"},
		"a person of nowhere":     {"POST", "/owner/people", "", `{"name":"A","territory":"999"}`, nil, 422, "invalid"},
		"revoke nobody":           {"DELETE", "/owner/people/p_0", "", "", nil, 404, "not-found"},
		"import of JSON":          {"POST", "/subscribers/import", "", "{}", nil, 415, "media-type"},
		"register for whom":       {"GET", "/templates/registration?format=csv", "", "", nil, 422, "invalid"},
		"register as what":        {"GET", "/templates/registration?format=xml&provider=a&sender=b", "", "", nil, 400, "malformed"},
	} {
		w := d.call(c.method, c.path, c.token, c.body, c.set)
		if w.Code != c.status {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, c.status, w.Body)
			continue
		}
		if c.kind == "" {
			continue
		}
		var p api.Problem
		dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&p); err != nil || p.Type != api.ProblemPrefix+c.kind || p.Status != c.status || p.Title == "" || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s %s (%v), want type %s", name, w.Header().Get("Content-Type"), w.Body, err, c.kind)
		}
	}
	if a := d.must("GET", id, d.other, ""); a.State != "submitted" || a.Coverage != nil {
		t.Errorf("after all refusals the alert is %s", a.State)
	}
}

func TestReplaysAndKeys(t *testing.T) {
	t.Parallel()
	d := open(t)
	text, key := draft("Severe", `"06673"`), map[string]string{"Idempotency-Key": "k-1"}
	var first, again api.Alert
	for _, a := range []*api.Alert{&first, &again} {
		w := d.call("POST", "/alerts", d.author, text, key)
		if err := json.Unmarshal(w.Body.Bytes(), a); err != nil || w.Code != 201 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if first.ID != again.ID {
		t.Errorf("the same key made %s and %s", first.ID, again.ID)
	}
	if w := d.call("POST", "/alerts", d.author, strings.Replace(text, "Severe", "Minor", 1), key); w.Code != 409 {
		t.Errorf("B22: the key with another body: %d %s", w.Code, w.Body)
	}
	sub := d.must("POST", "/alerts/"+string(first.ID)+"/submit", d.author, "{}")
	for range 2 {
		a := d.must("POST", "/alerts/"+string(first.ID)+"/approve", d.other, hash(sub.Hash))
		if a.State != "approved" || len(a.Signatures) != 2 {
			t.Errorf("B21: %s with %d signatures", a.State, len(a.Signatures))
		}
	}
	shown := d.must("GET", "/alerts/"+string(first.ID), d.elsewhere, "")
	if shown.Coverage == nil || !shown.Coverage.Cutting || shown.Draft.Infos[0].Headline == "" || shown.Communes != 1 {
		t.Errorf("%+v", shown)
	}
	var list struct{ Alerts []api.Alert }
	w := d.call("GET", "/alerts?state=approved&state=draft", d.other, "", nil)
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Alerts) != 1 || list.Alerts[0].Draft != nil {
		t.Errorf("%s", w.Body)
	}
}

// What is not on the socket has no way to people, subscribers and texts.
func TestNetworkHasNoLocalRoutes(t *testing.T) {
	t.Parallel()
	h := api.Public(api.Deps{Log: slog.New(slog.DiscardHandler)})
	for path, want := range map[string]int{
		"/api/v1/owner/people": 404, "/api/v1/owner/link": 404, "/api/v1/subscribers/import": 404, "/api/v1/templates/registration": 404,
		"/api/v1/owner/people/p_1": 404, "/api/v1/people": 401, "/api/v1/people/p_1": 404, "/api/v1/PEOPLE": 404, "/api/v1/people;x": 404,
		"/api/v1/alerts/..%2fpeople": 401, "/api/v1/alerts/%252e%252e": 401, // names of alerts: a token is asked for
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}

// A CAP message becomes a draft of the person who brought it, whatever it says
// of itself.
func TestCAPIsOnlyADraft(t *testing.T) {
	t.Parallel()
	d := open(t)
	now := time.Now().In(time.FixedZone("", 7*60*60)).Truncate(time.Second)
	message := fmt.Sprintf(`<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>x.1</identifier><sender>nchmf.example</sender><sent>%s</sent>
<status>Actual</status><msgType>Alert</msgType><scope>Public</scope><info><language>vi-VN</language><category>Met</category><event>Bão</event>
<urgency>Immediate</urgency><severity>Severe</severity><certainty>Likely</certainty><expires>%s</expires><headline>Bão gần bờ</headline>
<area><areaDesc>Quảng Ninh</areaDesc></area></info></alert>`, now.Format("2006-01-02T15:04:05-07:00"), now.Add(time.Hour).Format("2006-01-02T15:04:05-07:00"))
	w := d.call("POST", "/alerts", d.author, message, map[string]string{"Content-Type": "application/cap+xml"})
	var a api.Alert
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if a.State != "draft" || a.Draft.Source != "nchmf.example,x.1" || a.Draft.Infos[0].Headline != "Bão gần bờ" {
		t.Errorf("%+v", a)
	}
	if w := d.call("POST", "/alerts/"+string(a.ID)+"/submit", d.author, "", nil); w.Code != 422 || !strings.Contains(w.Body.String(), "A18") {
		t.Errorf("an area that is only a name was submitted: %d %s", w.Code, w.Body)
	}
	update := strings.Replace(message, "<msgType>Alert</msgType>", "<msgType>Cancel</msgType>", 1)
	update = strings.Replace(update, "<info>", "<references>nchmf.example,y.1,2024-01-01T00:00:00+07:00</references><info>", 1)
	if w := d.call("POST", "/alerts", d.author, update, map[string]string{"Content-Type": "application/cap+xml"}); w.Code != 422 {
		t.Errorf("a Cancel became a draft: %d %s", w.Code, w.Body)
	}
}
