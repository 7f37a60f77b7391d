package historytest

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
)

func refOf(batch int64, index uint16, attempt byte) string {
	raw := binary.BigEndian.AppendUint64(nil, uint64(batch))
	raw = append(binary.BigEndian.AppendUint16(raw, index), attempt)
	return base64.RawURLEncoding.EncodeToString(append(raw, make([]byte, 13)...))
}

// story is a run of separate processes: an alert to two phones, a browser and
// an app, stopped after all were called.
type story struct {
	Sources
	sms, push []string
	start     time.Time
}

func tell(t *testing.T) *story {
	t.Helper()
	dir := t.TempDir()
	s := &story{start: time.Date(2026, 9, 7, 13, 0, 0, 0, time.FixedZone("+07", 7*3600))}
	wall := s.start.UnixNano()
	s.Run = Run{Anchor{5 * sec, wall}, Anchor{65 * sec, wall + 60*sec}}
	s.Read, s.SMSName, s.PushName = 65*sec, "twilio", "vapid"
	s.SMS, s.Push = filepath.Join(dir, "sms.books"), filepath.Join(dir, "push.books")
	people := []Person{{1, channels.SMS, "06652"}, {2, channels.SMS, "06652"}, {3, channels.WebPush, "06652"}, {4, channels.App, "06652"}}
	s.Acts = slices.Concat([]Event{
		{T: 5 * sec, Kind: KindSubmit, Alert: "A", Revision: 1, Hash: "h", Status: alert.Actual, Severity: alert.Severe, Priority: "p0", Expires: 60 * sec, Areas: communes, Person: "lan"},
		{T: 5 * sec, Kind: KindApproval, Op: "alert.submit", Alert: "A", Revision: 1, Hash: "h", Person: "lan", Account: "lan", Areas: communes},
		{T: 6 * sec, Kind: KindApproval, Alert: "A", Revision: 1, Hash: "h", Person: "minh", Account: "minh", Areas: communes},
		{T: 20 * sec, Kind: KindCancel, Alert: "A", Revision: 1},
	}, Eligible("A", 1, 6*sec, people))
	s.ByNumber = func(n string) int64 { return map[string]int64{"+84910000001": 1, "+84910000002": 2}[n] }
	s.BySubscription = func(n int) int64 { return map[int]int64{7: 3}[n] }
	s.ByInstall = func(n int) int64 { return map[int]int64{9: 4}[n] }
	s.text(7*time.Second, "+84910000001", refOf(1, 0, 1))
	s.text(8*time.Second, "+84910000002", refOf(1, 1, 1))
	s.browser(9*time.Second, 7)
	s.Shown = slices.Values([]Shown{{9, "A", 1, "vi", 1, s.start.Add(4 * time.Second)}, {10, "A", 1, "vi", 1, s.start.Add(4 * time.Second)}})
	s.Rows = func(yield func(Row, error) bool) {
		for i, r := range []Row{{Channel: channels.SMS, Recipients: []int64{1, 2}}, {Channel: channels.WebPush, Recipients: []int64{3}}, {Channel: channels.App, Recipients: []int64{4}}} {
			r.Batch, r.Alert, r.Revision, r.Commune = int64(i+1), "A", 1, "06652"
			r.Outcomes, r.Attempts = slices.Repeat([]channels.Outcome{channels.Accepted}, len(r.Recipients)), slices.Repeat([]uint8{1}, len(r.Recipients))
			if !yield(r, nil) {
				return
			}
		}
	}
	s.Audit = s.records()
	return s
}

func (s *story) text(after time.Duration, to, ref string) {
	at := s.start.Add(after - 5*time.Second).UTC().Format(time.RFC3339Nano)
	s.sms = append(s.sms, fmt.Sprintf(`{"sid":"SM1","to":%q,"from":"QuangNinh","body":"Bão","ref":%q,"status":"delivered","at":%q}`, to, ref, at))
}

func (s *story) browser(after time.Duration, subscription int) {
	at := s.start.Add(after - 5*time.Second).UTC().Format(time.RFC3339Nano)
	s.push = append(s.push, fmt.Sprintf(`{"subscription":%d,"alert":"A","revision":1,"topic":"x","urgency":"high","ttl":60,"at":%q,"sha256":"00"}`, subscription, at))
}

func (s *story) records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		prev := strings.Repeat("0", 64)
		for i, r := range []Record{
			{Actor: "lan", Act: "alert.submit", At: s.start}, {Actor: "minh", Act: "alert.approve", At: s.start.Add(time.Second)}, {Actor: "minh", Act: "alert.stop", At: s.start.Add(15 * time.Second)},
		} {
			r.Seq, r.Object, r.Prev = int64(i+1), "alert/A", prev
			r.Hash = Seal(prev, Event{Seq: r.Seq, At: r.At.UnixNano(), Person: r.Actor, Op: r.Act, Object: r.Object})
			prev = r.Hash
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (s *story) check(t *testing.T) Report {
	t.Helper()
	for path, lines := range map[string][]string{s.SMS: s.sms, s.Push: s.push} {
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n{\"sid\":\"torn"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h, err := s.History()
	if err != nil {
		t.Fatal(err)
	}
	return Check(h, Params{Workers: 1, Concurrency: 1, RatePerSecond: map[string]int{"twilio": 1}, TerminalDeadline: 5 * time.Second, Unrecorded: []Fact{FactDevice, FactStepUp}})
}

// What books, rows and acts can tell is judged; what they cannot is unknown.
func TestBooksAndRows(t *testing.T) {
	t.Parallel()
	untold := []string{"I6", "I10", "I11", "I12", "I13"} // no calls, no backlog, no claims, no correction, no positions
	r := tell(t).check(t)
	if got := r.In(Unknown); !slices.Equal(got, untold) || len(r.In(Invalid)) > 0 {
		t.Fatalf("the plain story:\n%s", &r)
	}
	for _, c := range []struct {
		name, invariant string
		change          func(*story)
	}{
		{"lost", "I1", func(s *story) { s.sms = s.sms[:1] }},
		{"lost push", "I1", func(s *story) { s.push = s.push[:0]; s.browser(9*time.Second, 8) }},
		{"somebody else's number", "I2", func(s *story) { s.text(10*time.Second, "+84999999999", refOf(1, 0, 1)) }},
		{"a reference that is none", "I2", func(s *story) { s.text(10*time.Second, "+84910000001", "x") }},
		{"an index that is none", "I2", func(s *story) { s.text(10*time.Second, "+84910000001", refOf(1, 99, 1)) }},
		{"a subscription that is none", "I2", func(s *story) { s.browser(10*time.Second, 8) }},
		{"three copies", "I3", func(s *story) { s.browser(10*time.Second, 7); s.browser(11*time.Second, 7) }},
		{"late", "I4", func(s *story) { s.browser(22*time.Second, 7) }},
		{"too late", "I5", func(s *story) { s.browser(60*time.Second, 7) }},
		{"one person", "I7", func(s *story) { s.Acts[2].Person = "lan" }},
		{"too fast", "I9", func(s *story) { s.text(7500*time.Millisecond, "+84910000002", refOf(1, 1, 1)) }},
		{"shown twice", "I13", func(s *story) { s.Shown = slices.Values([]Shown{{9, "A", 1, "vi", 2, s.start}}) }},
	} {
		s := tell(t)
		c.change(s)
		r := s.check(t)
		if got := r.In(Invalid); !slices.Contains(got, c.invariant) {
			t.Errorf("%s: invalid %v\n%s", c.name, got, &r)
		}
		if strings.Contains(r.String(), "+849") {
			t.Errorf("%s: the report holds a number", c.name)
		}
	}
}

// A second copy in the books is excused by what the books or the ledger say of
// the first; else nobody can tell.
func TestSecondCopyInTheBooks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		want   State
		change func(*story)
	}{
		{"without a word", Unknown, func(*story) {}},
		{"the first was answered 503", Valid, func(s *story) { s.sms[0] = strings.Replace(s.sms[0], `{"sid"`, `{"answer":503,"sid"`, 1) }},
		{"the first was not answered", Valid, func(s *story) { s.sms[0] = strings.Replace(s.sms[0], `{"sid"`, `{"answer":0,"sid"`, 1) }},
		{"the first was not delivered", Valid, func(s *story) { s.sms[0] = strings.Replace(s.sms[0], `"delivered"`, `"undelivered"`, 1) }},
		{"the second was not delivered", Unknown, func(s *story) { s.sms[2] = strings.Replace(s.sms[2], `"delivered"`, `"undelivered"`, 1) }},
		{"a third after one that was not delivered", Invalid, func(s *story) {
			s.sms[0] = strings.Replace(s.sms[0], `"delivered"`, `"undelivered"`, 1)
			s.text(12*time.Second, "+84910000001", refOf(1, 0, 3))
		}},
		{"a bulletin after one that was not delivered", Valid, func(s *story) {
			s.Acts[0].Priority = "p3"
			s.sms[0] = strings.Replace(s.sms[0], `"delivered"`, `"undelivered"`, 1)
		}},
		{"a bulletin after one that was answered 503", Invalid, func(s *story) {
			s.Acts[0].Priority = "p3"
			s.sms[0] = strings.Replace(s.sms[0], `{"sid"`, `{"answer":503,"sid"`, 1)
		}},
		{"the first was answered 201", Unknown, func(s *story) { s.sms[0] = strings.Replace(s.sms[0], `{"sid"`, `{"answer":201,"sid"`, 1) }},
		{"a process was killed", Valid, func(s *story) {
			rows := func(yield func(Row, error) bool) {
				yield(Row{Batch: 1, Outcomes: []channels.Outcome{channels.Sending, channels.Pending}, Attempts: []uint8{1, 0}}, nil)
			}
			for e := range Orphans(rows, 7*sec+ms) {
				s.Acts = append(s.Acts, e)
			}
		}},
		{"a third", Invalid, func(s *story) { s.text(12*time.Second, "+84910000001", refOf(1, 0, 3)) }},
	} {
		s := tell(t)
		s.text(11*time.Second, "+84910000001", refOf(1, 0, 2))
		c.change(s)
		r := s.check(t)
		if v := r.Of("I3"); v.State != c.want {
			t.Errorf("%s:\n%s", c.name, v)
		}
	}
}

// What a provider refused stands in its books and is no message, and a line is
// placed by the monotonic clock if it was kept.
func TestRefusedLines(t *testing.T) {
	t.Parallel()
	s := tell(t)
	s.sms = append(s.sms, `{"taken":false,"to":"+84999999999","answer":429,"code":20429,"at":"2026-09-07T06:00:04Z","mono":9000000000}`)
	s.push = append(s.push, `{"taken":false,"subscription":8,"answer":410,"at":"2026-09-07T06:00:04Z","mono":9000000000}`)
	if r := s.check(t); len(r.In(Invalid)) > 0 {
		t.Errorf("refused lines count:\n%s", &r)
	}
	s.sms[1] = strings.Replace(s.sms[1], `{"sid"`, `{"mono":22000000000,"sid"`, 1) // after the stop
	if r := s.check(t); !slices.Contains(r.In(Invalid), "I4") {
		t.Errorf("the monotonic time is not used:\n%s", &r)
	}
}

func TestAppFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.books")
	text := `{"at":"2026-09-07T06:00:01Z","mono":6000000000,"install":9,"kind":"welcome"}
{"at":"2026-09-07T06:00:02Z","mono":7000000000,"install":9,"kind":"alert","alert":"A","revision":1,"language":"vi"}
{"at":"2026-09-07T06:00:02Z","mono":7500000000,"install":10,"kind":"alert","alert":"A","revision":1,"language":"vi"}
{"at":"2026-09-07T06:00:02Z","mono":8000000000,"install":9,"kind":"alert","alert":"A","revision":1,"language":"vi"}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var books, stream, resyncs int
	for e, err := range AppFile(path, Run{}, func(i int) int64 { return map[int]int64{9: 4}[i] }) {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Kind == KindBook:
			books++
			if e.Recipient != 4 || e.Alert != "A" || e.T != 7*sec {
				t.Errorf("%+v", e)
			}
		case e.Resync:
			resyncs++
		default:
			stream++
		}
	}
	if books != 1 || stream != 3 || resyncs != 1 {
		t.Errorf("%d books, %d shown, %d welcomes", books, stream, resyncs)
	}
	if err := os.WriteFile(path, []byte(`{"install":9,"kind":"alert"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, err := range AppFile(path, Run{}, func(int) int64 { return 1 }) {
		if err == nil {
			t.Error("a line without a time was believed")
		}
	}
}

func TestBooksThatCannotBeBelieved(t *testing.T) {
	t.Parallel()
	s := tell(t)
	s.Run.End.Wall += 6 * ms
	if _, err := s.History(); err == nil {
		t.Error("a wall clock that was set")
	}
	for _, line := range []string{"nonsense +84910000001", `{"to":"+84910000001","at":"2026-09-07T13:00:00Z"}`, `{"sid":"SM1","to":"+84910000001"}`} {
		s := tell(t)
		s.sms = append(s.sms, line)
		r := s.check(t)
		if len(r.In(Unknown)) != len(invariants) || strings.Contains(r.String(), "+849") {
			t.Errorf("%s:\n%s", line, &r)
		}
	}
	s = tell(t)
	h := SMSBooks(filepath.Join(t.TempDir(), "none"), "twilio", s.Run, nil)
	if r := Check(h, Params{}); len(r.In(Unknown)) != len(invariants) {
		t.Errorf("no file:\n%s", &r)
	}
	a := Now()
	if ago := Monotonic() - a.Mono; ago < 0 || ago > sec || (Run{a, Now()}).Check() != nil {
		t.Errorf("an anchor %v ago", time.Duration(ago))
	}
}

// Whoever stops an alert that is right owes no correction; once one was made, it
// is owed to all.
func TestStoppedForGood(t *testing.T) {
	t.Parallel()
	stopped := func(extra ...Event) Report {
		s := tell(t)
		s.Acts = append(s.Acts, Event{T: 21 * sec, Kind: KindCancel, Alert: "A", Revision: 1, Reason: ForGood})
		s.Acts = append(s.Acts, extra...)
		return s.check(t)
	}
	const owed = "no correction was recorded"
	if plain := tell(t).check(t); !strings.Contains(fmt.Sprint(&plain), owed) {
		t.Errorf("a stop with nothing after it:\n%s", &plain)
	}
	if r := stopped(); strings.Contains(fmt.Sprint(&r), owed) || len(r.In(Invalid)) > 0 {
		t.Errorf("no correction is due:\n%s", &r)
	}
	if r := stopped(Event{T: 22 * sec, Kind: KindCorrection, Alert: "A", Revision: 1}); !slices.Equal(r.In(Invalid), []string{"I12"}) {
		t.Errorf("a correction of nobody:\n%s", &r)
	}
}
