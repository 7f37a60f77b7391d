package console_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"loa/gateway/alert"
	"loa/gateway/web/api"
)

func get(t *testing.T, h http.Handler, path string, signedIn bool) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if signedIn {
		r.Header.Set("Cookie", "__Host-loa=x")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// has checks that texts stand in a page in this order.
func has(t *testing.T, w *httptest.ResponseRecorder, texts ...string) {
	t.Helper()
	body := w.Body.String()
	if w.Code != http.StatusOK {
		t.Fatalf("status %d", w.Code)
	}
	at := 0
	for _, text := range texts {
		i := strings.Index(body[at:], text)
		if i < 0 {
			t.Fatalf("%q is not there, or not in its place, in\n%s", text, body)
		}
		at += i
	}
}

func TestBoard(t *testing.T) {
	t.Parallel()
	h := newWorld().open(t, "live")
	has(t, get(t, h, "/truc", true), "PHÁT THẬT", "Người và quyền", "Phạm Quốc Tuấn · Duyệt tỉnh Quảng Ninh", "Việc gì phải quyết ngay?", "1 tin chờ duyệt, 2 tin đang phát.",
		"Bị trả lại để sửa", "Bão số 3 (Yagi)", "clock late", "chờ 01:04", `href="/duyet/loa-1"`, "còn 6 giờ 0 phút", "Chưa tới 27.155", "Chưa rõ 43.775", "Đang chờ 9.276", "Đã tới 155.158",
		"DIỄN TẬP, không phải cảnh báo thật", "Đã dừng")
	has(t, get(t, h, "/truc?lang=en", true), `lang="en"`, "LIVE", "1 waiting for approval, 2 live.", "Storm no. 3", `href="/duyet/loa-1?lang=en"`)
	empty := newWorld()
	empty.alerts = nil
	has(t, get(t, empty.open(t, "demo"), "/truc", true), "[TRÌNH DIỄN]", "Không có tin nào chờ duyệt hay đang phát.", "Không có bản nháp nào.", "Không có tin nào chờ duyệt.", "Không có cảnh báo nào đang phát.")
}

func TestApprovePage(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := w.open(t, "live")
	has(t, get(t, h, "/duyet/loa-1", true), "Nguyễn Thị Minh Hằng", "Phát cảnh báo này?", "Bão số 3 (Yagi)", "Rủi ro cấp 4", "18 xã, phường, đặc khu", "Đặc khu Cô Tô, Xã Cái Chiên",
		"Hai trăm ba mươi lăm nghìn ba trăm sáu mươi tư máy", "235.364 máy đã đăng ký", "187.640 SMS", "Hết hiệu lực 18:00", "Trung tâm Dự báo",
		"KHẨN CẤP 13h05", "3 phần", "KHAN CAP", "Bản dự phòng", "Gió cấp 12 đến 14", "Bạn không phải người soạn.", "Tin đính chính đã viết sẵn.", `data-hash="ab12"`, "Duyệt và phát")
	has(t, get(t, w.open(t, "drill"), "/duyet/loa-1", true), "Diễn tập phát cảnh báo này?", "Duyệt diễn tập")
	w.alerts[0].Author.ID = "p_2"
	has(t, get(t, h, "/duyet/loa-1", true), "Nên xem:", "Bạn là người soạn: người khác phải duyệt.")
	closed := get(t, h, "/duyet/loa-2", true)
	has(t, closed, "<h1>Đã duyệt</h1>", "Phạm Quốc Tuấn", `href="/theo-doi/loa-2"`)
	if strings.Contains(closed.Body.String(), "data-do=\"approve\"") {
		t.Error("an approved alert can be approved")
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := w.open(t, "live")
	has(t, get(t, h, "/theo-doi/loa-2", true), "QN7K", "Ai chưa nhận được?", "27.155 máy chưa có tin. Nặng nhất: Đặc khu Cô Tô, Đặc khu Vân Đồn, Xã Cái Chiên.",
		"27.155", "43.775", "9.276", "155.158", `data-do="stop"`, "Đính chính", "SMS", "187.640", "24.118", "Đặc khu Cô Tô", "5.803")
	stopped := get(t, h, "/theo-doi/loa-5", true)
	has(t, stopped, "Đã dừng lúc 12:00")
	if strings.Contains(stopped.Body.String(), `data-do="stop"`) {
		t.Error("a stopped alert can be stopped")
	}
	one := get(t, h, "/theo-doi/loa-2?part=1", true)
	has(t, one, "Ai chưa nhận được?")
	if strings.Contains(one.Body.String(), "<html") || one.Header().Get("ETag") == "" || one.Header().Get("Loa-Time") != "12:00:00" {
		t.Errorf("a part: %v", one.Header())
	}
}

// Who is not signed in is led to sign in and back; nothing is shown to who may
// not see it, and an API that is away is said.
func TestClosedPages(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := w.open(t, "live")
	for path, want := range map[string]string{"/truc": "/dang-nhap?next=%2Ftruc", "/duyet/loa-1?lang=en": "/dang-nhap?next=%2Fduyet%2Floa-1&lang=en", "/theo-doi/loa-2": "/dang-nhap?next=%2Ftheo-doi%2Floa-2"} {
		if got := get(t, h, path, false); got.Code != http.StatusSeeOther || got.Header().Get("Location") != want {
			t.Errorf("%s: %d %s", path, got.Code, got.Header().Get("Location"))
		}
	}
	if got := get(t, h, "/truc?part=1", false); got.Code != http.StatusUnauthorized {
		t.Errorf("a part for nobody: %d", got.Code)
	}
	if got := get(t, h, "/theo-doi/loa-9", true); got.Code != http.StatusNotFound {
		t.Errorf("an alert that is not there: %d", got.Code)
	}
	w.away = true
	if got := get(t, h, "/truc", true); got.Code != http.StatusServiceUnavailable || !strings.Contains(got.Body.String(), "Máy chủ chưa trả lời được") {
		t.Errorf("an API that is away: %d", got.Code)
	}
	has(t, get(t, h, "/dang-nhap?next=/duyet/loa-1", false), `data-next="/duyet/loa-1"`, "Ai đang trực?")
	for _, next := range []string{"https://elsewhere.example/", "//elsewhere.example", "/dang-nhap", "/truc\\..", "/moi"} {
		has(t, get(t, h, "/dang-nhap?next="+next, false), `data-next="/truc"`)
	}
	has(t, get(t, h, "/moi", false), "Đăng ký vân tay trên máy này")
}

func TestPeople(t *testing.T) {
	t.Parallel()
	h := newWorld().open(t, "live")
	has(t, get(t, h, "/nguoi", true), "Ai được làm gì?", "2 người", "Đang cài đặt ban đầu", "Mời một người", `value="administrator"`, `value="22"`,
		"Nguyễn Thị Minh Hằng", "Soạn, tỉnh Quảng Ninh", "Hoàng Thị Thu Hà", "Nguyễn Thị Minh Hằng mời", "chờ người quản trị thứ hai", `data-do="confirm" data-id="r_2"`, "có hiệu lực từ 13:00")
	if strings.Contains(get(t, h, "/nguoi", true).Body.String(), `data-id="r_3"`) {
		t.Error("who asked for a role may confirm it")
	}
}

// Nothing of an alert becomes markup.
func TestEscapes(t *testing.T) {
	t.Parallel()
	w := newWorld()
	const evil = `<img src=x onerror=alert(1)>"'`
	w.alerts = []api.Alert{storm("loa-1", alert.Submitted, func(a *api.Alert) {
		a.Title, a.Author.Name, a.SMS[0].Text, a.Draft.Source, a.Targets[0].Name = map[string]string{"vi": evil}, evil, evil, evil, evil
	})}
	h := w.open(t, "live")
	for _, path := range []string{"/truc", "/duyet/loa-1", "/theo-doi/loa-1"} {
		if strings.Contains(get(t, h, path, true).Body.String(), "<img") {
			t.Errorf("%s: a text became markup", path)
		}
	}
}
