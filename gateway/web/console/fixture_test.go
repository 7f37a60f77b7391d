package console_test

import (
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/web"
	"loa/gateway/web/api"
	"loa/gateway/web/console"
)

// noon of 7 September 2024 in Viet Nam is 05:00 UTC.
var noon = time.Date(2024, 9, 7, 5, 0, 0, 0, time.UTC)

// world is what the API tells; it may be changed under mu.
type world struct {
	mu     sync.Mutex
	now    time.Time
	alerts []api.Alert
	nobody bool // no cookie is good
	away   bool
	asked  []string
}

func storm(id alert.ID, state alert.State, change ...func(*api.Alert)) api.Alert {
	a := api.Alert{
		ID: id, State: state, Revision: 2, Code: "QN7K", MsgType: alert.MsgAlert, Status: alert.Actual, Severity: alert.Extreme, RiskLevel: 4,
		Title:  map[string]string{"vi": "Bão số 3 (Yagi): ở yên trong nhà", "en": "Storm no. 3 (Yagi): stay indoors"},
		Area:   map[string]string{"vi": "tỉnh Quảng Ninh", "en": "Quang Ninh province"},
		Author: api.Person{ID: "p_1", Name: "Nguyễn Thị Minh Hằng"}, CreatedAt: noon.Add(-64 * time.Second), Expires: noon.Add(6 * time.Hour),
		Hash: "ab12", Communes: 18, HeadCount: map[channels.Kind]int{channels.SMS: 187640, channels.WebPush: 41306, channels.App: 6418},
		Targets:   []api.Target{{Code: "07192", Name: "Đặc khu Cô Tô"}, {Code: "06967", Name: "Xã Cái Chiên"}, {Code: "06994", Name: "Đặc khu Vân Đồn"}},
		TwoPeople: true, CorrectedBy: "any.correction_false",
		Draft: &api.Draft{Source: "Trung tâm Dự báo khí tượng thủy văn quốc gia", Infos: []api.Info{{
			Language: "vi-VN", Headline: "Bão số 3 đổ bộ Quảng Ninh", Description: "Gió cấp 12 đến 14 từ 13h đến 17h.", Instruction: "Ở yên trong nhà, tránh cửa kính.",
		}}},
		SMS: []api.Text{
			{Language: "vi", Name: "Đặc khu Cô Tô", Text: "KHẨN CẤP 13h05 7/9: Bão số 3 gió cấp 12-14 vào Quảng Ninh 13h-17h. Ở yên trong nhà, tránh cửa kính, không ra biển. Cứu nạn gọi 112. Mã QN7K", Parts: 3, Encoding: "UCS-2", Goes: true},
			{Language: "vi", Name: "Đặc khu Cô Tô", Text: "KHAN CAP 13h05 7/9: Bao so 3 gio cap 12-14 vao Quang Ninh 13h-17h. O yen trong nha, tranh cua kinh, khong ra bien. Cuu nan goi 112. Ma QN7K", Parts: 1, Encoding: "GSM-7"},
		},
	}
	if state != alert.Submitted && state != alert.Drafted {
		a.ApprovedAt = noon.Add(-time.Minute)
		a.Signatures = []api.Signature{{Person: api.Person{Name: "Phạm Quốc Tuấn"}, At: noon.Add(-time.Minute)}}
		counts := func(k channels.Kind, failed, accepted, pending, delivered int) api.Cell {
			return api.Cell{Kind: k, Eligible: failed + accepted + pending + delivered, Missed: failed, Outcomes: map[string]int{
				channels.Failed.String(): failed, channels.Accepted.String(): accepted, channels.Pending.String(): pending, channels.Delivered.String(): delivered,
			}}
		}
		a.Coverage = &api.Coverage{
			Pending:  9276,
			Channels: []api.Cell{counts(channels.SMS, 24118, 31905, 9212, 122405), counts(channels.WebPush, 2077, 11870, 64, 27295), counts(channels.App, 960, 0, 0, 5458)},
			Communes: []api.Commune{
				{Code: "06994", Name: "Đặc khu Vân Đồn", Channels: []api.Cell{counts(channels.SMS, 2110, 400, 30, 1200)}},
				{Code: "07192", Name: "Đặc khu Cô Tô", Channels: []api.Cell{counts(channels.SMS, 5793, 786, 143, 429), counts(channels.App, 10, 0, 0, 2)}},
				{Code: "06967", Name: "Xã Cái Chiên", Channels: []api.Cell{counts(channels.SMS, 535, 90, 37, 90)}},
			},
		}
	}
	for _, f := range change {
		f(&a)
	}
	return a
}

func newWorld() *world {
	return &world{now: noon, alerts: []api.Alert{
		storm("loa-1", alert.Submitted),
		storm("loa-2", alert.Approved),
		storm("loa-3", alert.Approved, func(a *api.Alert) {
			a.Status, a.RiskLevel = alert.Exercise, 2
			a.Title = map[string]string{"vi": "Diễn tập: cảnh báo lũ quét, sạt lở đất tại các xã miền núi phía tây bắc của tỉnh"}
		}),
		storm("loa-4", alert.Returned), storm("loa-5", alert.Stopped, func(a *api.Alert) { a.EndedAt = noon }),
	}}
}

// ServeHTTP answers as the API does.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, r.URL.Path+" "+r.Header.Get("Cookie"))
	if w.away {
		http.Error(out, "", http.StatusServiceUnavailable)
		return
	}
	if w.nobody || r.Header.Get("Cookie") == "" {
		http.Error(out, "", http.StatusUnauthorized)
		return
	}
	var doc any
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/session", func(http.ResponseWriter, *http.Request) {
		doc = map[string]any{"id": "p_2", "name": "Phạm Quốc Tuấn", "roles": []map[string]string{{"role": "approver", "territory": "22"}, {"role": "administrator", "territory": "22"}}, "setup": true}
	})
	mux.HandleFunc("/api/v1/people", func(http.ResponseWriter, *http.Request) {
		member := func(id, name string, gs ...api.Grant) api.Registered {
			return api.Registered{Person: api.Person{ID: id, Name: name, Territory: "22"}, InvitedBy: "p_1", Grants: gs}
		}
		doc = map[string]any{"people": []api.Registered{
			member("p_1", "Nguyễn Thị Minh Hằng", api.Grant{ID: "r_1", Role: "author", Territory: "22", Active: true}),
			member("p_3", "Hoàng Thị Thu Hà", api.Grant{ID: "r_2", Role: "approver", Territory: "22", AskedBy: "p_1"}, api.Grant{ID: "r_3", Role: "clerk", Territory: "06973", AskedBy: "p_2", SecondBy: "p_1", EffectiveAt: noon.Add(time.Hour)}),
		}}
	})
	mux.HandleFunc("/api/v1/alerts", func(_ http.ResponseWriter, r *http.Request) {
		found := []api.Alert{}
		for _, a := range w.alerts {
			for _, state := range r.URL.Query()["state"] {
				if state == string(a.State) {
					found = append(found, a)
				}
			}
		}
		doc = map[string]any{"alerts": found}
	})
	mux.HandleFunc("/api/v1/alerts/{id}", func(_ http.ResponseWriter, r *http.Request) {
		for _, a := range w.alerts {
			if string(a.ID) == r.PathValue("id") {
				doc = a
			}
		}
	})
	mux.ServeHTTP(httptest.NewRecorder(), r)
	if doc == nil {
		http.Error(out, "", http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(out).Encode(doc)
}

func (w *world) open(t testing.TB, deployment string) http.Handler {
	t.Helper()
	c, err := console.New(console.Options{
		Files: files(), Deployment: deployment, Agency: map[string]string{"vi": "Ban Chỉ huy Phòng thủ dân sự tỉnh Quảng Ninh"}, API: w,
		Unit: func(code area.Code) (area.Unit, bool) {
			return area.Unit{FullName: "tỉnh Quảng Ninh"}, code == "22"
		},
		Now: func() time.Time { return w.now }, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return web.Headers(c)
}

func files() fs.FS { return os.DirFS("../../../templates/web/console") }
