package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/coverage"
	"loa/gateway/web/api"
)

// unread is a coverage that cannot be read.
type unread struct {
	coverage.Source
	asked int
}

func (u *unread) Cells(context.Context, alert.ID, int) ([]coverage.Cell, error) {
	u.asked++
	return nil, errors.New("the ledger is busy")
}

// What is sent is answered so, though nobody can say to how many; that, and not
// that it is nobody, is said of a preview too.
func TestASentCorrectionIsAnsweredAsSent(t *testing.T) {
	t.Parallel()
	d := open(t)
	old := d.submitted("Extreme")
	path := "/alerts/" + string(old.ID)
	d.must("POST", path+"/approve", d.other, hash(old.Hash))
	g, broken := d.gateway, &unread{}
	d.handler = api.Local(api.Deps{Desk: g.Desk, Account: g.Account, Areas: g.Areas, Coverage: broken, Renderer: g.Renderer, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	for i, c := range []struct{ query, state string }{{"?preview=true", "draft"}, {"", "approved"}} {
		done := d.must("POST", path+"/correct"+c.query, d.author, `{"reason":"nhầm","infos":[{"language":"vi-VN","template":"any.correction_false"}]}`)
		if string(done.State) != c.state || done.Reached != nil || !done.ReachedUnknown || broken.asked != i+1 {
			t.Errorf("%s, %v, unknown %v, asked %d", done.State, done.Reached, done.ReachedUnknown, broken.asked)
		}
	}
}

// uncounted is an audience that cannot be counted.
type uncounted struct {
	audience.Store
	asked int
}

func (u *uncounted) Counts(context.Context, []area.Code, bool) ([]audience.Count, error) {
	u.asked++
	return nil, errors.New("the ledger is busy")
}

// What is submitted is answered so and shown, though nobody can say who reads
// another language.
func TestASubmissionIsAnsweredAsSubmitted(t *testing.T) {
	t.Parallel()
	d := open(t)
	g, broken := d.gateway, &uncounted{}
	d.handler = api.Local(api.Deps{
		Desk: g.Desk, Account: g.Account, Areas: g.Areas, Audience: &audience.Book{Store: broken}, Coverage: g.Coverage,
		Renderer: g.Renderer, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	a := d.submitted("Extreme")
	for what, a := range map[string]api.Alert{"submit": a, "status": d.must("GET", "/alerts/"+string(a.ID), d.author, "")} {
		if a.State != "submitted" || a.Hash == "" || !a.TwoPeople || a.OtherReaders != nil {
			t.Errorf("%s: %+v", what, a)
		}
	}
	if broken.asked != 2 {
		t.Errorf("counted %d times", broken.asked)
	}
}

// A correction in its author's words is answered as waiting for another person.
func TestACorrectionWaitsForASecondSignature(t *testing.T) {
	t.Parallel()
	d := open(t)
	old := d.submitted("Extreme")
	path := "/alerts/" + string(old.ID)
	d.must("POST", path+"/approve", d.other, hash(old.Hash))
	made := d.must("POST", path+"/correct", d.author, `{"reason":"sai giờ","infos":[{"language":"vi-VN","template":"any.correction_detail","slots":{"wrong":"gió cấp 10","right":"gió cấp 9"}}]}`)
	if made.State != "submitted" || made.Hash == "" || d.must("GET", path, d.author, "").State != "approved" {
		t.Fatalf("%+v", made)
	}
	own := "/alerts/" + string(made.ID) + "/approve"
	if w := d.call("POST", own, d.author, hash(made.Hash), nil); w.Code/100 != 4 || !strings.Contains(w.Body.String(), "any.correction_false, or stops it") {
		t.Errorf("its author: %d %s", w.Code, w.Body)
	}
	if sent := d.must("POST", own, d.other, hash(made.Hash)); sent.State != "approved" || d.must("GET", path, d.author, "").State != "superseded" {
		t.Errorf("another: %+v", sent)
	}
}

// A correction can be seen before it is sent, leaves out what the alert has
// said, and answers with what it sends; what it gets wrong is named.
func TestACorrectionIsSeenBeforeItIsSent(t *testing.T) {
	t.Parallel()
	d := open(t)
	old := d.submitted("Extreme")
	path := "/alerts/" + string(old.ID)
	if w := d.call("POST", path+"/correct", d.author, `{"reason":"nhầm","infos":[{"language":"vi-VN","template":"any.correction_false"}]}`, nil); w.Code != 409 || !strings.Contains(w.Body.String(), "never approved") {
		t.Errorf("of what was not sent: %d %s", w.Code, w.Body)
	}
	d.must("POST", path+"/approve", d.other, hash(old.Hash))
	text := `{"reason":"phát nhầm"%s,"infos":[{"language":"vi-VN","template":%q}]}`
	for name, c := range map[string]struct{ body, query, says string }{
		"another status": {fmt.Sprintf(text, `,"status":"Exercise"`, "any.correction_false"), "", `{"field":"status","rule":"must be Actual`},
		"another text":   {fmt.Sprintf(text, "", "tsunami.tier3"), "", `any.correction_all_clear, any.correction_detail, any.correction_false`},
		"an all-clear's": {fmt.Sprintf(text, "", "any.correction_all_clear"), "?preview=true", "any.correction_detail, any.correction_false"},
		"an odd preview": {fmt.Sprintf(text, "", "any.correction_false"), "?preview=1", "preview"},
	} {
		if w := d.call("POST", path+"/correct"+c.query, d.author, c.body, nil); w.Code/100 != 4 || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	body := fmt.Sprintf(text, `,"status":"Actual"`, "any.correction_false")
	seen := d.must("POST", path+"/correct?preview=true", d.author, body)
	if seen.State != "draft" || !strings.Contains(seen.Draft.Infos[0].Headline, "tin mã "+old.Code+" là phát nhầm, không có bão số 3") {
		t.Errorf("preview: %s %+v", seen.State, seen.Draft)
	}
	if w := d.call("GET", "/alerts/"+string(seen.ID), d.author, "", nil); w.Code != 404 {
		t.Errorf("the preview was stored: %d", w.Code)
	}
	if a := d.must("GET", path, d.author, ""); a.State != "approved" {
		t.Errorf("the preview made the alert %s", a.State)
	}
	done := d.must("POST", path+"/correct", d.author, body)
	if done.State != "approved" || done.Draft == nil || done.Draft.Infos[0].Severity != "Extreme" || done.Draft.Infos[0].Event != old.Draft.Infos[0].Event {
		t.Errorf("%+v", done)
	}
	w := d.call("POST", path+"/update", d.author, draft("Extreme", `"06673"`), nil)
	if w.Code != 409 || !strings.Contains(w.Body.String(), string(done.ID)+" has taken the place of "+string(old.ID)) {
		t.Errorf("what took its place is not named: %d %s", w.Code, w.Body)
	}
	var all struct{ Alerts []api.Alert }
	if err := json.Unmarshal(d.call("GET", "/alerts", d.author, "", nil).Body.Bytes(), &all); err != nil || len(all.Alerts) != 2 {
		t.Errorf("%d alerts", len(all.Alerts))
	}
}
