package watch

import (
	"slices"
	"strings"
	"time"
)

// State says how a part of the gateway is.
type State string

// The states. A warning is shown and never paged.
const (
	OK   State = "ok"
	Warn State = "warn"
	Bad  State = "bad"
)

// Part is the health of one part of the gateway. Text says in one sentence what
// is wrong, Remedy in one what to do; neither holds an address or a secret.
type Part struct {
	Part   string    `json:"part"` // "ledger", "provider/sms/twilio"
	State  State     `json:"state"`
	Since  time.Time `json:"since"` // of the state
	Cause  Cause     `json:"cause,omitempty"`
	Text   string    `json:"text,omitempty"`
	Remedy string    `json:"remedy,omitempty"`
	// Vital: while the part is bad the gateway does not do its work, and its
	// heartbeat stops.
	Vital bool `json:"vital,omitempty"`
}

// Cause is why somebody is paged.
type Cause string

// The causes.
const (
	ProviderDown    Cause = "provider_down"
	BreakerOpen     Cause = "breaker_open"
	LedgerReadOnly  Cause = "ledger_unwritable"
	DiskFull        Cause = "disk_low"
	DirectMode      Cause = "direct_mode"
	ClockJump       Cause = "clock_jump"
	DispatchRefused Cause = "dispatch_refused"
	ContentRefused  Cause = "content_refused"
	CanaryLost      Cause = "canary_lost"
	BacklogStuck    Cause = "backlog_stuck"
	Poison          Cause = "poison_quarantined"
	Hold            Cause = "hold"
)

// words is how a cause is told: to a pager in Vietnamese, with marks and
// without, and in English (each at most 33 characters: an SMS is short), how
// long it must last before somebody is woken, and what to do about it.
type words struct {
	vi, plain, en string
	after         time.Duration
	remedy        string
}

// settling is how long a cause that often heals by itself may take to do so.
const settling = 15 * time.Second

var catalogue = map[Cause]words{
	ProviderDown: {
		vi: "nhà cung cấp từ chối tài khoản", plain: "nha cung cap tu choi tai khoan", en: "a provider refuses our account",
		remedy: "Check the provider's credentials and balance; what waits is kept and goes out by itself once they are right.",
	},
	BreakerOpen: {
		vi: "nhà cung cấp không nhận tin", plain: "nha cung cap khong nhan tin", en: "a provider takes nothing", after: settling,
		remedy: "Look at the provider's status page and at our way to it; a probe is sent every few seconds and sending resumes by itself.",
	},
	LedgerReadOnly: {
		vi: "cơ sở dữ liệu không ghi được", plain: "CSDL khong ghi duoc", en: "the ledger cannot be written",
		remedy: "Nothing can be approved or sent: free the disk, check its mount and its log, or bring PostgreSQL back.",
	},
	DiskFull: {
		vi: "ổ đĩa sắp đầy", plain: "o dia sap day", en: "the disk is nearly full",
		remedy: "Free space on the disk of the data folder, or make it larger.",
	},
	DirectMode: {
		vi: "Redis không trả lời", plain: "Redis khong tra loi", en: "Redis does not answer", after: settling,
		remedy: "Sending goes on from the ledger, with less speed; bring Redis back, the gateway returns to it by itself.",
	},
	ClockJump: {
		vi: "đồng hồ máy chủ nhảy", plain: "dong ho may chu nhay", en: "the server's clock jumped",
		remedy: "Check time synchronisation (timedatectl); expiries and times of messages follow this clock.",
	},
	DispatchRefused: {
		vi: "một lệnh phát tin bị từ chối", plain: "mot lenh phat tin bi tu choi", en: "a request to send was refused",
		remedy: "Open the alert and see which communes and channels failed; correct it and send it again.",
	},
	ContentRefused: {
		vi: "nhà mạng từ chối nội dung tin", plain: "nha mang tu choi noi dung tin", en: "a provider refuses a text",
		remedy: "People on that channel hear nothing: register the text with the carrier, or send it in another form.",
	},
	CanaryLost: {
		vi: "tin thử không tới nơi", plain: "tin thu khong toi noi", en: "the test message did not arrive",
		remedy: "Send a test to a phone at hand; if it fails, use another channel and call the provider.",
	},
	BacklogStuck: {
		vi: "tin chờ gửi không giảm", plain: "tin cho gui khong giam", en: "what waits does not move",
		remedy: "See the log for what the workers wait for; if nothing is there, restart loa: nothing is lost and nothing repeated.",
	},
	Poison: {
		vi: "một người nhận bị cách ly", plain: "mot nguoi nhan bi cach ly", en: "a recipient was quarantined",
		remedy: "The others were sent to; look in the log for the endpoint and reach this one by hand.",
	},
	Hold: {
		vi: "đang TẠM DỪNG GỬI tin", plain: "dang TAM DUNG GUI tin", en: "on HOLD, nothing is sent",
		remedy: "The ledger may be an old copy: compare it with the providers' history, then two people release it.",
	},
}

// Causes lists every cause, sorted.
func Causes() []Cause {
	all := make([]Cause, 0, len(catalogue))
	for c := range catalogue {
		all = append(all, c)
	}
	slices.Sort(all)
	return all
}

// Remedy is what to do about the cause.
func (c Cause) Remedy() string { return catalogue[c].remedy }

// AlertName is the cause as Prometheus and Alertmanager name it:
// "LoaProviderDown".
func (c Cause) AlertName() string {
	var b strings.Builder
	b.WriteString("Loa")
	for w := range strings.SplitSeq(string(c), "_") {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return b.String()
}

// severity is the label of Alertmanager routes.
func (c Cause) severity() string {
	switch c {
	case DirectMode, ClockJump, DiskFull:
		return "warning"
	default:
		return "critical"
	}
}

// Fault is a bad part.
func Fault(part string, c Cause, text string) Part {
	return Part{Part: part, State: Bad, Cause: c, Text: text, Remedy: c.Remedy()}
}

// Fine is a part that is well.
func Fine(part string) Part { return Part{Part: part, State: OK} }
