package public_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/coverage"
	"loa/gateway/desk"
	"loa/gateway/web"
	"loa/gateway/web/public"
)

// noon of 7 September 2024 in Viet Nam is 05:00 UTC.
var noon = time.Date(2024, 9, 7, 5, 0, 0, 0, time.UTC)

// world is what a page is shown of; its fields may be changed under mu.
type world struct {
	mu      sync.Mutex
	now     time.Time
	cases   []desk.Case
	cells   map[alert.ID][]coverage.Cell
	cutting bool
	second  coverage.Second
	unheard map[channels.Kind]int
	notices []coverage.Notice
	health  public.Health
	away    bool // the ledger does not answer
	reads   int  // of the list of alerts
}

var units = map[area.Code]area.Unit{
	"22":    {Code: "22", FullName: "Tỉnh Quảng Ninh"},
	"31":    {Code: "31", FullName: "Thành phố Hải Phòng"},
	"06652": {Code: "06652", Parent: "22", FullName: "Phường Hồng Gai"},
	"07192": {Code: "07192", Parent: "22", FullName: "Đặc khu Cô Tô"},
	"11914": {Code: "11914", Parent: "31", FullName: "Đặc khu Cát Hải"},
}

func cell(commune area.Code, kind channels.Kind, counts map[channels.Outcome]int) coverage.Cell {
	c := coverage.Cell{Commune: commune, Kind: kind}
	for o, n := range counts {
		c.Counts[o] = n
	}
	return c
}

// storm is an alert in force with a Vietnamese and an English text.
func storm(id alert.ID, change ...func(*desk.Case)) desk.Case {
	geocodes := []alert.NamedValue{{Name: area.ValueName, Value: "06652"}, {Name: area.ValueName, Value: "07192"}, {Name: area.ValueName, Value: "11914"}}
	info := func(language, headline, desc string) alert.Info {
		return alert.Info{
			Language: language, Event: "Yagi, " + language, Headline: headline, Severity: alert.Extreme, SenderName: "Ban Chỉ huy", Expires: noon.Add(6 * time.Hour),
			Description: "Gió cấp 12.", Instruction: "Ở trong nhà.",
			Parameters: []alert.NamedValue{{Name: alert.RiskLevelName, Value: "4"}}, Areas: []alert.Area{{Desc: desc, Geocodes: geocodes}},
		}
	}
	c := desk.Case{
		ID: id, State: alert.Approved, Author: desk.Person{ID: "p1", Name: "Nguyễn Thị Người Soạn"}, CreatedAt: noon, ApprovedAt: noon,
		Signatures: []desk.Signature{{Person: "p2", Name: "Trần Văn Người Ký"}},
		Submission: desk.Submission{
			Communes: []area.Code{"06652", "07192", "11914"},
			Revision: &alert.Revision{
				Alert: id, Number: 2, Code: "QN7K", Sent: noon, Status: alert.Actual, MsgType: alert.MsgAlert, Scope: alert.Public,
				Infos: []alert.Info{
					info("vi-VN", "Bão số 3 đổ bộ Quảng Ninh", "tỉnh Quảng Ninh, thành phố Hải Phòng"),
					info("en-US", "Storm no. 3 makes landfall", "Quang Ninh, Hai Phong"),
				},
			},
		},
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func newWorld() *world {
	return &world{
		now: noon, cases: []desk.Case{storm("loa-1")}, health: public.Health{Mode: "queue"},
		cells: map[alert.ID][]coverage.Cell{"loa-1": {
			cell("06652", channels.SMS, map[channels.Outcome]int{channels.Accepted: 1200, channels.Failed: 3}),
			cell("06652", channels.WebPush, map[channels.Outcome]int{channels.Delivered: 40, channels.Ambiguous: 2}),
			cell("07192", channels.SMS, map[channels.Outcome]int{channels.Failed: 9, channels.Expired: 1, channels.Delivered: 5}),
			cell("11914", channels.SMS, map[channels.Outcome]int{channels.Pending: 7, channels.Sending: 1, channels.Confirmed: 2}),
		}},
	}
}

func (w *world) change(f func(*world)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w)
	w.now = w.now.Add(2 * time.Second)
}

func files(t testing.TB) fs.FS {
	t.Helper()
	return os.DirFS("../../../templates/web")
}

func (w *world) options(t testing.TB) public.Options {
	locked := func() func() { w.mu.Lock(); return w.mu.Unlock }
	return public.Options{
		Files: files(t), Deployment: "drill", Agency: map[string]string{"vi": "Ban Chỉ huy", "en": "Command"},
		Cases: func(_ context.Context, states []alert.State, limit int) ([]desk.Case, error) {
			defer locked()()
			w.reads++
			if w.away {
				return nil, errors.New("disk on fire")
			}
			var found []desk.Case
			for _, c := range w.cases {
				for _, s := range states {
					if c.State == s && len(found) < limit {
						found = append(found, c)
					}
				}
			}
			return found, nil
		},
		Cells: func(_ context.Context, id alert.ID, _ int) ([]coverage.Cell, error) {
			defer locked()()
			return append([]coverage.Cell(nil), w.cells[id]...), nil
		},
		Cutting: func(context.Context, alert.ID) (bool, error) { defer locked()(); return w.cutting, nil },
		Second:  func(context.Context, alert.ID, int) (coverage.Second, error) { defer locked()(); return w.second, nil },
		Notices: func(context.Context, alert.ID, int) ([]coverage.Notice, error) {
			defer locked()()
			return w.notices, nil
		},
		Unheard: func(context.Context, *desk.Case) (map[channels.Kind]int, error) {
			defer locked()()
			return w.unheard, nil
		},
		Unit:   func(c area.Code) (area.Unit, bool) { u, ok := units[c]; return u, ok },
		Health: func() public.Health { defer locked()(); return w.health },
		Now:    func() time.Time { defer locked()(); return w.now },
		Log:    slog.New(slog.DiscardHandler),
	}
}

// open makes the page as the gateway serves it.
func (w *world) open(t testing.TB, change ...func(*public.Options)) http.Handler {
	t.Helper()
	o := w.options(t)
	for _, f := range change {
		f(&o)
	}
	p, err := public.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return web.Headers(p)
}

// get asks for a path; headers come in pairs.
func get(t testing.TB, h http.Handler, path string, header ...string) (*http.Response, string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	res := rec.Result()
	var body io.Reader = res.Body
	if res.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			t.Fatal(err)
		}
		body = z
	}
	all, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(all)
}

// has checks that the texts stand in the body in this order.
func has(t *testing.T, body string, texts ...string) {
	t.Helper()
	rest := body
	for _, s := range texts {
		i := strings.Index(rest, s)
		if i < 0 {
			t.Errorf("%q is missing, or stands in the wrong place", s)
			continue
		}
		rest = rest[i+len(s):]
	}
}

func hasNot(t *testing.T, body string, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if strings.Contains(body, s) {
			t.Errorf("%q must not be shown", s)
		}
	}
}
