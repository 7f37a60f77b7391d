package cap

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"loa/gateway/alert"
)

func writeFile(t *testing.T, to string, rev *alert.Revision) {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, rev); err != nil {
		t.Fatalf("%s: %v", rev.Identifier, err)
	}
	if err := os.WriteFile(to, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func written(t *testing.T, rev *alert.Revision) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, rev); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// storm is Loa's own message, with every element that CAP has.
func storm(t *testing.T) *alert.Revision {
	t.Helper()
	rev, _, err := read(with(t, "</alert>", english+"</alert>"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	rev.Alert, rev.Number, rev.Code = "a", 2, "K7M2"
	rev.MsgType, rev.Source, rev.Note = alert.MsgUpdate, "Đài khí tượng", "ghi chú & <5"
	rev.Addresses, rev.Incidents = []string{"a", "b c"}, []string{"bão số 3"}
	rev.References = []alert.Reference{{Sender: rev.Sender, Identifier: "QN-0", Sent: rev.Sent.Add(-time.Hour).UTC()}}
	low, high := 0.0, 9842.5
	for i := range rev.Infos {
		in := &rev.Infos[i]
		in.Audience, in.Effective, in.Onset = "mọi người", rev.Sent, rev.Sent.Add(time.Minute)
		in.Resources[0].Size, in.Resources[0].Digest = 1024, "00ff"
		in.Areas[0].Altitude, in.Areas[0].Ceiling = &low, &high
	}
	return rev
}

func TestWriteIsValidAndOrdered(t *testing.T) {
	t.Parallel()
	rev := storm(t)
	slices.Reverse(rev.Infos)
	text := written(t, rev)
	for _, want := range []string{
		"<sent>2024-09-07T13:15:00+07:00</sent>",
		"<references>bch.quangninh.example,QN-0,2024-09-07T05:15:00-00:00</references>",
		"<code>CAP-VN-draft:0.1</code>",
		`<addresses>a "b c"</addresses>`,
		"<note>ghi chú &amp; &lt;5</note>",
		"<circle>20.97,107.76 12</circle>",
		"<ceiling>9842.5</ceiling>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if vi, en := strings.Index(text, "vi-VN"), strings.Index(text, "en-US"); vi < 0 || vi > en {
		t.Errorf("Vietnamese at %d, English at %d", vi, en)
	}
	if strings.Contains(text, "K7M2") || strings.Contains(text, "derefUri") {
		t.Error("something of Loa's own was written")
	}
	back, notes, err := read(text, Options{})
	if got := verdict(t, back, notes, err); got != "C11" && got != "ok" {
		t.Errorf("read back: %s", got)
	}
	file := filepath.Join(t.TempDir(), "a.xml")
	writeFile(t, file, rev)
	if report, err := lint(t, file); err != nil {
		t.Errorf("%v\n%s", err, report)
	}
}

// What breaks CAP is not written, not even in part.
func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*alert.Revision){
		"no scope":            func(r *alert.Revision) { r.Scope = "" },
		"open polygon":        func(r *alert.Revision) { r.Infos[0].Areas[0].Polygons[0][0].Lat++ },
		"control character":   func(r *alert.Revision) { r.Infos[0].Description = "a\x01b" },
		"bytes, no text":      func(r *alert.Revision) { r.Infos[0].Headline = "\xff" },
		"profile by word":     func(r *alert.Revision) { r.Codes = []string{Profile}; r.Infos[0].Contact = "" },
		"profile without vi":  func(r *alert.Revision) { r.Codes = []string{Profile}; r.Infos = r.Infos[1:] },
		"profile for 2 days":  func(r *alert.Revision) { r.Codes = []string{Profile}; r.Infos[0].Expires = r.Sent.AddDate(0, 0, 2) },
		"profile, no commune": func(r *alert.Revision) { r.Codes = []string{Profile}; r.Infos[1].Areas[0].Geocodes = nil },
		"profile, level 6":    func(r *alert.Revision) { r.Codes = []string{Profile}; r.Infos[1].Parameters[0].Value = "6" },
		"profile, no block": func(r *alert.Revision) {
			r.Codes, r.MsgType, r.Infos = []string{Profile}, alert.MsgCancel, nil
		},
	} {
		rev := storm(t)
		spoil(rev)
		var b bytes.Buffer
		if err := Write(&b, rev); len(alert.FieldErrors(errors.Unwrap(err))) == 0 || b.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", name, err, b.Len())
		}
	}
	if err := Write(brokenPipe{}, storm(t)); !errors.Is(err, errPipe) {
		t.Errorf("broken pipe: %v", err)
	}
}

var errPipe = errors.New("broken pipe")

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

// The profile's code is claimed by Loa's own messages that meet it, once.
func TestProfileIsClaimedHonestly(t *testing.T) {
	t.Parallel()
	count := func(change func(*alert.Revision)) int {
		rev := storm(t)
		change(rev)
		return strings.Count(written(t, rev), Profile)
	}
	for name, tt := range map[string]struct {
		change func(*alert.Revision)
		want   int
	}{
		"own":             {func(*alert.Revision) {}, 1},
		"own, said so":    {func(r *alert.Revision) { r.Codes = []string{Profile} }, 1},
		"own, not met":    {func(r *alert.Revision) { r.Infos[0].Instruction = "" }, 0},
		"of someone else": {func(r *alert.Revision) { r.Alert = "" }, 0},
		"theirs, said so": {func(r *alert.Revision) { r.Alert, r.Codes = "", []string{"x", Profile} }, 1},
	} {
		if got := count(tt.change); got != tt.want {
			t.Errorf("%s: %d codes, want %d", name, got, tt.want)
		}
	}
}

func TestFormatTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 9, 7, 6, 0, 0, 999, time.UTC)
	for want, zone := range map[string]*time.Location{
		"2024-09-07T06:00:00-00:00": time.UTC,
		"2024-09-07T13:00:00+07:00": time.FixedZone("", 7*3600),
		"2024-09-07T00:30:00-05:30": time.FixedZone("", -5*3600-1800),
	} {
		if got := FormatTime(at.In(zone)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, odd := range []int{7*3600 + 6*60 + 30, 15 * 3600} {
		if got := FormatTime(at.In(time.FixedZone("", odd))); got != "2024-09-07T06:00:00-00:00" {
			t.Errorf("offset %d s: %s", odd, got)
		}
	}
}

// Whatever conforms is written, accepted by the official schema, and read back
// as it was.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var files []string
	rapid.Check(t, func(rt *rapid.T) {
		rev := revisions(rt)
		if err := rev.Conforms(); err != nil {
			rt.Fatalf("the generator: %v", err)
		}
		var b bytes.Buffer
		if err := Write(&b, rev); err != nil {
			rt.Fatal(err)
		}
		text := b.String()
		back, notes, err := read(text, Options{})
		if err != nil {
			rt.Fatalf("%v\n%s", err, text)
		}
		for _, n := range notes {
			if !slices.Contains([]string{"A17", "A32", "A33", "C15", "C28", "C42", "C50", "C51", "C54", "B12"}, n.Rule) {
				rt.Fatalf("%+v of\n%s", n, text)
			}
		}
		slices.SortStableFunc(rev.Infos, func(a, b alert.Info) int {
			return map[bool]int{true: -1, false: 0}[a.Lang() == "vi" && b.Lang() != "vi"] + map[bool]int{true: 1, false: 0}[a.Lang() != "vi" && b.Lang() == "vi"]
		})
		if diff := cmp.Diff(rev, back, cmpopts.EquateEmpty(), cmp.Comparer(sameTime)); diff != "" {
			rt.Fatalf("(-written +read)\n%s\n%s", diff, text)
		}
		if len(files) < 60 {
			file := filepath.Join(dir, fmt.Sprintf("%d.xml", len(files)))
			if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
				rt.Fatal(err)
			}
			files = append(files, file)
		}
	})
	if report, err := lint(t, files...); err != nil {
		t.Errorf("%v\n%s", err, report)
	}
}

func sameTime(a, b time.Time) bool {
	return a.Equal(b) && FormatTime(a) == FormatTime(b)
}
