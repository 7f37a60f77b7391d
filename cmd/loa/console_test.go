package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/web/api"
	"loa/gateway/web/face/facetest"
)

// TestConsole plays a first start in a real browser: the printed link makes the
// first administrator, who invites an author and an approver; each signs in with
// a passkey of their own; what the author submits the approver approves on a
// phone, and nobody else; the author stops it.
func TestConsole(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LOA_STANDIN_TOKEN", "drilldrilldrilldrilldrilldrill12")
	config := drill(t, dir, "http://127.0.0.1:1")
	out := background(t, "serve", "--config", config)
	link := out.wait(t, `(http://localhost:\d+/moi#\S+)`)
	until := time.Now().Add(6 * time.Hour).Truncate(time.Minute)
	draft, err := json.Marshal(api.Draft{Status: alert.Actual, Source: "Trung tâm Dự báo khí tượng thủy văn quốc gia", Infos: []api.Info{{
		Language: "vi-VN", Template: "storm.on_land", Categories: []alert.Category{"Met"}, Event: "Bão số 3", ResponseTypes: []alert.ResponseType{"Shelter"},
		Slots: map[string]string{
			"until": until.Format(time.RFC3339), "storm_no": "3", "storm_name": "Yagi", "level": "4", "wind": "12-13", "wind_kmh": "118-149", "gust": "16", "place": "Bãi Cháy", "distance": "15",
		},
		Urgency: "Immediate", Severity: alert.Extreme, Certainty: "Observed", Onset: time.Now(), Expires: until,
		Parameters: []api.Pair{{Name: alert.RiskLevelName, Value: "4"}}, Areas: []api.Area{{Codes: []area.Code{"22"}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Errors, Who                   []string
		UsedLink, Own, Watch, Stopped string
		StopGone                      bool
		Presses                       int
	}
	facetest.Browser(t, &report, "testdata/console.mjs", link, string(draft))
	for _, e := range report.Errors {
		t.Error(e)
	}
	if len(report.Who) != 2 || !strings.Contains(report.Who[0], "Nguyễn Thị Minh Hằng · Soạn Tỉnh Quảng Ninh") || !strings.Contains(report.Who[1], "Duyệt Tỉnh Quảng Ninh") {
		t.Errorf("who: %q", report.Who)
	}
	if !strings.HasPrefix(report.UsedLink, "Đường dẫn mời đã dùng") || !strings.HasPrefix(report.Own, "Bạn không có quyền") {
		t.Errorf("a used link: %q; approving what is one's own: %q", report.UsedLink, report.Own)
	}
	if report.Watch != "Ai chưa nhận được?" || report.Presses != 2 {
		t.Errorf("after %d presses: %q", report.Presses, report.Watch)
	}
	if !strings.HasPrefix(report.Stopped, "Đã dừng lúc ") || !report.StopGone {
		t.Errorf("after the stop: %q, gone %v", report.Stopped, report.StopGone)
	}
}
