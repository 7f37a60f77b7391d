package public_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/coverage"
	"loa/gateway/desk"
	"loa/gateway/web/public"
)

func TestPageWithoutScript(t *testing.T) {
	t.Parallel()
	res, body := get(t, newWorld().open(t), "/")
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("status %d, %v", res.StatusCode, res.Header)
	}
	has(t, body, `<html lang="vi">`, "[DIỄN TẬP]", `<noscript><meta http-equiv="refresh" content="15"></noscript>`, `<body class="drill"`,
		"<b>DIỄN TẬP</b>", "Không tin nào tới người dân.", "Số liệu lúc 12:00:00", "Ai chưa nhận được tin?", "Một cảnh báo đang có hiệu lực. 13 máy chưa tới, 2 máy chưa rõ, 1.200 máy nhà mạng đã nhận tin nhưng chưa báo đã tới.",
		`<span class="tag">Cảnh báo</span>`, "QN7K", "bản 2", "Yagi, vi-VN", "Bão số 3 đổ bộ Quảng Ninh", "Rủi ro cấp 4", "màu đỏ, rủi ro rất lớn", "Đang gửi. Còn 8 máy đang chờ.",
		"12:00, 7/9/2024", "18:00, 7/9/2024", "tỉnh Quảng Ninh, thành phố Hải Phòng", "3 xã, phường, đặc khu", "Ở trong nhà.",
		"1.270 máy phải nhận", "SMS", "Thông báo đẩy",
		"Đặc khu Cô Tô", "Phường Hồng Gai", "Đặc khu Cát Hải",
		"Không có tin nào kết thúc trong 24 giờ qua.", "Hàng gửi chạy bình thường.", "Chưa thấy nhà mạng")
	hasNot(t, body, "Người Soạn", "Người Ký", "Storm no. 3", "style=", "<style", "onclick", "<no value>")
	if n := len(regexp.MustCompile(`<script[^>]*src="/assets/`).FindAllString(body, -1)); n != 1 || strings.Count(body, "<script") != 1 {
		t.Errorf("%d scripts of %d are files of this origin", n, strings.Count(body, "<script"))
	}
	if strings.Contains(body, "://") {
		t.Error("the page names another origin")
	}
}

func TestEvidenceIsKeptApart(t *testing.T) {
	t.Parallel()
	_, body := get(t, newWorld().open(t), "/")
	row := regexp.MustCompile(`(?s)<tr data-k="loa-1/sms">.*?</tr>`).FindString(body)
	cells := regexp.MustCompile(`data-l="([^"]*)">([^<]*)<`).FindAllStringSubmatch(row, -1)
	var got []string
	for _, c := range cells {
		got = append(got, c[1]+" "+c[2])
	}
	want := "Phải nhận 1.228|Chưa tới 13|Chưa rõ 0|Mạng đã nhận 1.200|Đang chờ 8|Báo đã tới 7"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("SMS: %s\nwant %s", s, want)
	}
}

// TestLeadSaysWhatTheTilesSay finds every number of the lead on a tile of the
// same words.
func TestLeadSaysWhatTheTilesSay(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"vi", "en"} {
		_, body := get(t, newWorld().open(t), "/?lang="+lang)
		lead := strings.ToLower(regexp.MustCompile(`(?s)<p class="lead">(.*?)</p>`).FindString(body))
		tiles := regexp.MustCompile(`</svg>([^<]+)</span></dt><dd><b>([^<]+)</b>`).FindAllStringSubmatch(body, -1)
		if lead == "" || len(tiles) != 5 {
			t.Fatalf("%s: %d tiles below the lead %q", lang, len(tiles), lead)
		}
		for _, tile := range tiles[:3] {
			word, n := strings.ToLower(tile[1]), tile[2]
			if !regexp.MustCompile(`\b` + n + `\b[^,]* ` + word).MatchString(lead) {
				t.Errorf("%s: the tile says %s %s, the lead %s", lang, n, word, lead)
			}
		}
	}
}

func TestEnglish(t *testing.T) {
	t.Parallel()
	_, body := get(t, newWorld().open(t), "/?lang=en")
	has(t, body, `<html lang="en">`, "[DRILL]", "Who has not been reached?", "13 devices not reached, 2 unknown, for 1,200 the carrier has it", "Storm no. 3 makes landfall", "Risk level 4", "red, very high", "12:00, 7 Sep 2024", "Quang Ninh, Hai Phong", "(3 communes)")
	w := newWorld()
	w.cases[0].Submission.Revision.Infos = w.cases[0].Submission.Revision.Infos[:1]
	_, body = get(t, w.open(t), "/?lang=en")
	has(t, body, `lang="vi">Bão số 3 đổ bộ Quảng Ninh`)
}

func TestNothingBreaksOutOfTheText(t *testing.T) {
	t.Parallel()
	w := newWorld()
	const evil = `"><script>alert(1)</script>`
	w.cases[0].Submission.Revision.Infos[0].Headline = "Bão" + evil
	w.health = public.Health{Mode: "queue", Down: []public.Down{{Kind: channels.SMS, Provider: evil}}}
	h := w.open(t, func(o *public.Options) { o.Agency["vi"] = evil })
	for _, path := range []string{"/", "/live", "/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&alert=%22%3E%3Cscript%3Ealert(1)"} {
		_, body := get(t, h, path)
		hasNot(t, body, "<script>", `"><scr`)
	}
	_, body := get(t, h, "/?q=%22%3E%3Cscript%3E")
	has(t, body, "Không có nơi nào khớp với “&#34;&gt;&lt;script&gt;”")
}

func TestFilter(t *testing.T) {
	t.Parallel()
	h := newWorld().open(t)
	for _, c := range []struct {
		q    string
		want []area.Code
	}{
		{"hong gai", []area.Code{"06652"}},
		{"HỒNG+GAI", []area.Code{"06652"}},
		{"%C4%91%E1%BA%B7c+khu", []area.Code{"07192", "11914"}},
		{"dac khu", []area.Code{"07192", "11914"}},
		{"Hai Phong", []area.Code{"11914"}},
		{"07192", []area.Code{"07192"}},
		{"Hà Nội", nil},
		{"", []area.Code{"07192", "06652", "11914"}},
	} {
		_, body := get(t, h, "/?lang=en&q="+strings.ReplaceAll(c.q, " ", "%20"))
		var got []area.Code
		for _, m := range regexp.MustCompile(`<tr data-k="loa-1/(\d+)">`).FindAllStringSubmatch(body, -1) {
			got = append(got, area.Code(m[1]))
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%q: %v, want %v", c.q, got, c.want)
		}
		has(t, body, `<input type="hidden" name="lang" value="en">`)
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	ended := func(s alert.State, at time.Time) func(*desk.Case) {
		return func(c *desk.Case) { c.State, c.EndedAt = s, at }
	}
	for name, c := range map[string]struct {
		change func(*desk.Case)
		want   string
	}{
		"stopped":    {ended(alert.Stopped, noon.Add(-time.Hour)), "Đã dừng gửi lúc 11:00, 7/9/2024. Dừng không có nghĩa là hết nguy hiểm."},
		"superseded": {ended(alert.Superseded, noon.Add(-time.Hour)), "Đã được tin khác thay thế lúc 11:00, 7/9/2024."},
		"cleared":    {ended(alert.Ended, noon.Add(-time.Hour)), "Kết thúc lúc 11:00, 7/9/2024 do có tin hết nguy hiểm."},
		"expired": {func(c *desk.Case) {
			ended(alert.Ended, noon)(c)
			for i := range c.Submission.Revision.Infos {
				c.Submission.Revision.Infos[i].Expires = noon.Add(-time.Minute)
			}
		}, "Hết hiệu lực từ 11:59, 7/9/2024. Không có nghĩa là hết nguy hiểm."},
		"all clear": {func(c *desk.Case) { c.Submission.Revision.Infos[0].ResponseTypes = []alert.ResponseType{"AllClear"} }, `<span class="tag">Hết nguy hiểm</span>`},
		"update":    {func(c *desk.Case) { c.Submission.Revision.MsgType = alert.MsgUpdate }, "Cập nhật tin trước"},
		"correction": {func(c *desk.Case) {
			c.Submission.Revision.MsgType, c.Submission.Cause = alert.MsgUpdate, "correction"
		}, "Đính chính tin trước"},
		"notice of a stop": {func(c *desk.Case) {
			c.Submission.Revision.MsgType, c.Submission.Cause = alert.MsgUpdate, "stopped"
		}, "Báo đã dừng phát tin trước"},
		"cancel":   {func(c *desk.Case) { c.Submission.Revision.MsgType = alert.MsgCancel }, "Hủy tin trước"},
		"exercise": {func(c *desk.Case) { c.Submission.Revision.Status = alert.Exercise }, "DIỄN TẬP, không phải cảnh báo thật"},
		"test":     {func(c *desk.Case) { c.Submission.Revision.Status = alert.Test }, "THỬ NGHIỆM, không phải cảnh báo thật"},
		"without risk": {func(c *desk.Case) {
			c.Submission.Revision.Infos[0].Parameters, c.Submission.Revision.Infos[1].Parameters = nil, nil
		}, "Không kèm cấp độ rủi ro thiên tai"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.cases[0] = storm("loa-1", c.change)
			_, body := get(t, w.open(t), "/")
			has(t, body, c.want)
			if name == "exercise" || name == "test" {
				has(t, body, "Không có cảnh báo nào đang có hiệu lực.", "Có 1 tin diễn tập hoặc thử nghiệm.", "article")
				hasNot(t, body, "máy chưa tới,") // not among the figures of real alerts
			}
			_, one := get(t, w.open(t), "/?alert=loa-1")
			has(t, one, c.want, "Theo kênh")
		})
	}
}

func TestWhatIsMeantInEarnestStandsFirst(t *testing.T) {
	t.Parallel()
	w := newWorld()
	exercise := func(c *desk.Case) { c.Submission.Revision.Status = alert.Exercise }
	w.cases = []desk.Case{storm("loa-9", exercise), storm("loa-8"), storm("loa-1")}
	_, body := get(t, w.open(t), "/")
	has(t, body, "2 cảnh báo đang có hiệu lực. 13 máy chưa tới", "Có 1 tin diễn tập", `data-k="loa-8"`, "Không có máy nào trong danh sách nhận.", `data-k="loa-1"`, `data-k="loa-9"`)
	if n := strings.Count(body, `id="x-QN7K"`); n > 1 {
		t.Errorf("one id stands %d times", n)
	}
}

func TestWhatIsNotShown(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.cases = []desk.Case{
		storm("loa-1", func(c *desk.Case) { c.Submission.Revision.Scope = alert.Restricted }),
		storm("loa-2", func(c *desk.Case) { c.State = alert.Submitted }),
		storm("loa-3", func(c *desk.Case) { c.State, c.EndedAt = alert.Ended, noon.Add(-25*time.Hour) }),
	}
	_, body := get(t, w.open(t), "/")
	has(t, body, "Cảnh báo nào đang có hiệu lực?", "Không có cảnh báo nào đang có hiệu lực.")
	hasNot(t, body, "Bão số 3", "loa-1", "loa-2", "loa-3")
	_, body = get(t, w.open(t), "/?alert=loa-1")
	has(t, body, "Không có tin nào mang mã này trong 24 giờ qua.")
}

func TestDeployments(t *testing.T) {
	t.Parallel()
	for deployment, want := range map[string]string{"live": "PHÁT THẬT", "drill": "DIỄN TẬP", "demo": "TRÌNH DIỄN"} {
		_, body := get(t, newWorld().open(t, func(o *public.Options) { o.Deployment = deployment }), "/")
		has(t, body, "["+want+"]", `<body class="`+deployment+`"`, "<b>"+want+"</b>")
	}
	o := newWorld().options(t)
	o.Deployment = "staging"
	if _, err := public.New(o); err == nil {
		t.Error("an unknown deployment was let through")
	}
}

func TestSystem(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.health = public.Health{Mode: "direct", Since: noon.Add(-time.Minute), Down: []public.Down{{Kind: channels.SMS, Provider: "Nhà mạng A"}}}
	w.cutting = true
	_, body := get(t, w.open(t), "/")
	has(t, body, "Đang lập danh sách người nhận.", "Không kết nối được Redis từ 11:59, 7/9/2024.", "Nhà mạng A (SMS) không trả lời. Tin đang chờ ở đây, chưa mất.")
}

// While nothing is sent the page says so before anything else, and does not say
// that the queue works.
func TestHold(t *testing.T) {
	t.Parallel()
	w := newWorld()
	_, body := get(t, w.open(t), "/")
	hasNot(t, body, "TẠM DỪNG GỬI", "tạm dừng gửi")
	w = newWorld()
	w.health = public.Health{Mode: "queue", Held: noon.Add(-time.Minute)}
	for path, want := range map[string]string{
		"/":         "ĐANG TẠM DỪNG GỬI: từ 11:59, 7/9/2024 hệ thống không gửi tin nào, vì dữ liệu có thể là bản cũ được khôi phục hoặc chuyển máy chủ",
		"/live":     "ĐANG TẠM DỪNG GỬI",
		"/?lang=en": "because the data may be an older copy that was restored or moved to another server",
	} {
		_, body := get(t, w.open(t), path)
		has(t, body, want)
		hasNot(t, body, "Hàng gửi chạy bình thường", "The queue works normally")
	}
	_, body = get(t, w.open(t), "/")
	has(t, body, "Đang tạm dừng gửi từ 11:59, 7/9/2024: không gửi tin nào.")
}

// An all-clear and a correction are messages in force and no warnings.
func TestOnlyAWarningIsCalledOne(t *testing.T) {
	t.Parallel()
	clear := func(c *desk.Case) {
		c.Submission.Revision.MsgType = alert.MsgUpdate
		c.Submission.Revision.Infos[0].ResponseTypes = []alert.ResponseType{"AllClear"}
	}
	correction := func(c *desk.Case) {
		c.Submission.Revision.MsgType, c.Submission.Cause = alert.MsgUpdate, "correction"
	}
	for name, c := range map[string]struct {
		cases []desk.Case
		want  string
	}{
		"all-clear":     {[]desk.Case{storm("loa-1", clear)}, "Không có cảnh báo nào đang có hiệu lực. Tin báo hết nguy hiểm đang phát: 1. 13 máy chưa tới"},
		"correction":    {[]desk.Case{storm("loa-1", correction)}, "Không có cảnh báo nào đang có hiệu lực. Tin đính chính hoặc báo dừng phát: 1."},
		"one of either": {[]desk.Case{storm("loa-1", clear), storm("loa-2")}, "Một cảnh báo đang có hiệu lực. Tin báo hết nguy hiểm đang phát: 1."},
	} {
		w := newWorld()
		w.cases = c.cases
		_, body := get(t, w.open(t), "/")
		has(t, body, "Ai chưa nhận được tin?", c.want)
		_, one := get(t, w.open(t), "/?alert=loa-1")
		has(t, one, "Bạn đang xem riêng một tin.")
		hasNot(t, one, "cảnh báo đang có hiệu lực")
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestSecondAttemptsAreNotTheEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pending int
		next    time.Time
		want    string
	}{
		"due later":          {0, noon.Add(10 * time.Minute), "Đã gửi hết lượt đầu. 1.044 máy chờ gửi lại, sớm nhất lúc 12:10, 7/9/2024."},
		"due now":            {0, noon, "Đã gửi hết lượt đầu. 1.044 máy đang được gửi lại."},
		"beside first sends": {7, noon.Add(10 * time.Minute), "Đang gửi. Còn 7 máy đang chờ. 1.044 máy chờ gửi lại"},
	} {
		w := newWorld()
		w.cells["loa-1"] = []coverage.Cell{cell("06652", channels.SMS, map[channels.Outcome]int{channels.Failed: 1044, channels.Delivered: 9, channels.Pending: c.pending})}
		w.second = coverage.Second{Waiting: 1044, Next: c.next}
		_, body := get(t, w.open(t), "/")
		has(t, body, c.want)
		hasNot(t, body, "Đã gửi hết lượt. ")
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestWhyAProviderIsDown(t *testing.T) {
	t.Parallel()
	for why, want := range map[public.Why]string{
		public.Silent:  "A (SMS) không trả lời.",
		public.Login:   "A (SMS): nhà cung cấp từ chối đăng nhập.",
		public.Refused: "A (SMS): nhà cung cấp từ chối phục vụ, mã 30002.",
	} {
		w := newWorld()
		w.health.Down = []public.Down{{Kind: channels.SMS, Provider: "A", Why: why, Code: "30002"}}
		_, body := get(t, w.open(t), "/")
		has(t, body, want)
	}
}

func TestUnheardAreSaid(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.unheard = map[channels.Kind]int{channels.SMS: 1200, channels.WebPush: 0}
	_, body := get(t, w.open(t), "/")
	has(t, body, "1.200 máy ở nơi nhận đăng ký qua kênh SMS, nhưng máy gửi này chưa cấu hình kênh đó.")
	hasNot(t, body, "qua kênh Thông báo đẩy")
}

// What is not sent is said in words, by channel, with the first communes; the
// engineers' text stays away from the public.
func TestGapsAreSaid(t *testing.T) {
	t.Parallel()
	w := newWorld()
	add := func(code string, kind channels.Kind, communes ...area.Code) {
		for _, c := range communes {
			w.notices = append(w.notices, coverage.Notice{Alert: "loa-1", Revision: 2, Kind: kind, Commune: c, Code: code, Text: "no slot wind"})
		}
	}
	add("render", channels.SMS, "06652", "07192", "11914", "00001", "00002", "00003", "00004")
	add("content/<30007>", channels.SMS, "")
	add("request", "", "")
	add("unreadable", "", "")
	add("status", channels.App, "")
	add("moon", channels.WebPush, "")
	h := w.open(t)
	_, body := get(t, h, "/")
	has(t, body,
		"Không soạn được tin cho kênh SMS ở: Phường Hồng Gai, Đặc khu Cô Tô, Đặc khu Cát Hải, 00001, 00002 và 2 nơi khác.",
		"Kênh SMS: nhà cung cấp từ chối nội dung tin, mã &lt;30007&gt;.",
		"Một yêu cầu gửi của tin này bị từ chối",
		"Không đọc được một yêu cầu gửi của tin này",
		"Đã chặn tin diễn tập hoặc thử nghiệm này, không cho gửi tới người dân qua kênh Ứng dụng.",
		"Kênh Thông báo đẩy: có phần tin không gửi được, mã moon.",
	)
	hasNot(t, body, "no slot wind")
	_, body = get(t, h, "/?lang=en")
	has(t, body, "No text could be made for SMS in: ", " and 2 others.")
	w.change(func(w *world) { w.notices, w.cases[0].State, w.cases[0].EndedAt = w.notices[8:9], alert.Ended, w.now })
	_, body = get(t, h, "/?alert=loa-1")
	has(t, body, "Một yêu cầu gửi của tin này bị từ chối")
}

func TestLiveAnswersOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := w.open(t)
	first, body := get(t, h, "/live")
	etag := first.Header.Get("ETag")
	if first.StatusCode != http.StatusOK || etag == "" || first.Header.Get("Loa-Time") != "12:00:00" {
		t.Fatalf("status %d, %v", first.StatusCode, first.Header)
	}
	hasNot(t, body, "<html", "<script", "12:00:00")
	w.change(func(*world) {})
	same, empty := get(t, h, "/live", "If-None-Match", etag)
	if same.StatusCode != http.StatusNotModified || empty != "" || same.Header.Get("Loa-Time") != "12:00:02" || same.Header.Get("ETag") != etag {
		t.Errorf("status %d, %q, %v", same.StatusCode, empty, same.Header)
	}
	w.change(func(w *world) { w.cells["loa-1"][0].Counts[channels.Failed] = 4 })
	changed, fresh := get(t, h, "/live", "If-None-Match", etag, "Accept-Encoding", "gzip")
	if changed.StatusCode != http.StatusOK || changed.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("status %d, %v", changed.StatusCode, changed.Header)
	}
	has(t, fresh, "14 máy chưa tới")
	if en, _ := get(t, h, "/live?lang=en"); en.Header.Get("ETag") == changed.Header.Get("ETag") {
		t.Error("another language has the same ETag")
	}
}

func TestLedgerAway(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.away = true
	h := w.open(t)
	res, body := get(t, h, "/")
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d", res.StatusCode)
	}
	has(t, body, "Chưa có số liệu; điều này không có nghĩa là không có cảnh báo.")
	hasNot(t, body, "Không có cảnh báo nào đang có hiệu lực", "disk on fire")

	w.change(func(w *world) { w.away = false })
	if res, _ := get(t, h, "/live"); res.StatusCode != http.StatusOK {
		t.Fatalf("status %d", res.StatusCode)
	}
	w.change(func(w *world) { w.away = true })
	res, body = get(t, h, "/")
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d", res.StatusCode)
	}
	has(t, body, "Cơ sở dữ liệu không trả lời. Dưới đây là số liệu lúc 12:00:02.", "Bão số 3")
	if res, _ := get(t, h, "/live"); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the moving part says %d while the ledger is away", res.StatusCode)
	}
}

func TestManyVisitorsReadOnce(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := w.open(t)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() { get(t, h, "/live") })
	}
	all.Wait()
	if w.reads != 2 { // in force, and ended
		t.Errorf("the ledger was asked %d times", w.reads)
	}
}

// The first visit to a page of two provinces takes at most 30 KB.
func TestWeight(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.cells["loa-1"] = nil
	for i := range 168 {
		w.cells["loa-1"] = append(w.cells["loa-1"], cell(area.Code(fmt.Sprintf("%05d", i)), channels.SMS,
			map[channels.Outcome]int{channels.Accepted: i * 37 % 1000, channels.Failed: i * 7 % 50, channels.Delivered: i * 91 % 3000}))
	}
	h := w.open(t)
	sum := 0
	_, page := get(t, h, "/")
	paths := []string{"/"}
	for _, m := range regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		paths = append(paths, m[1])
	}
	if len(paths) != 4 {
		t.Fatalf("the page loads %v", paths)
	}
	for _, path := range paths {
		res, _ := get(t, h, path, "Accept-Encoding", "gzip")
		var n int
		if _, err := fmt.Sscan(res.Header.Get("Content-Length"), &n); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v", path, res.StatusCode, err)
		}
		sum += n
	}
	if sum > 30<<10 {
		t.Errorf("first load: %d bytes", sum)
	}
	has(t, page, "Xem 148 nơi còn lại")
}

func TestAssets(t *testing.T) {
	t.Parallel()
	h := newWorld().open(t)
	_, page := get(t, h, "/")
	script := regexp.MustCompile(`/assets/live\.js[^"]*`).FindString(page)
	kept, js := get(t, h, script)
	if kept.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || kept.Header.Get("Content-Type") != "text/javascript; charset=utf-8" || js == "" {
		t.Errorf("%s: %v", script, kept.Header)
	}
	asked, _ := get(t, h, "/assets/live.js?v=other")
	if asked.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("another version may be kept: %v", asked.Header)
	}
	if again, _ := get(t, h, "/assets/live.js", "If-None-Match", asked.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("status %d", again.StatusCode)
	}
	for _, path := range []string{"/assets/texts.csv", "/assets/live.ts", "/assets/../page.html", "/other"} {
		if res, _ := get(t, h, path); res.StatusCode == http.StatusOK {
			t.Errorf("%s is served", path)
		}
	}
	if kept.Header.Get("Content-Security-Policy") == "" || kept.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers: %v", kept.Header)
	}
}
