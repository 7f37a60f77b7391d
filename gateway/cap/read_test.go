package cap

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf16"
)

func TestSampleIsRead(t *testing.T) {
	t.Parallel()
	rev, notes, err := read(sample, Options{})
	if got := verdict(t, rev, notes, err); got != "ok" {
		t.Fatalf("%s %v %v", got, notes, err)
	}
	if got := rev.Targets(); len(got) != 1 || got[0] != "07192" {
		t.Errorf("targets %v", got)
	}
	if _, offset := rev.Sent.Zone(); offset != 7*3600 || rev.Sent.Unix() != 1725689700 {
		t.Errorf("sent %v", rev.Sent)
	}
	rev.Alert, rev.Number, rev.Code = "a", 1, "K7M2"
	if err := rev.Validate(); err != nil {
		t.Errorf("not fit to be issued: %v", err)
	}
}

// One row for each line of the list of unsafe messages that a reader without a
// memory can judge (A28 to A30 need to know earlier messages).
func TestUnsafeMessages(t *testing.T) {
	t.Parallel()
	const polygon = "20.9,107.6 20.9,107.9 21.1,107.9 21.1,107.6 20.9,107.6"
	const circle = "20.97,107.76 12"
	area := sample[strings.Index(sample, "    <area>"):strings.Index(sample, "  </info>")]
	shapes := area[strings.Index(area, "      <polygon>"):strings.Index(area, "    </area>")]
	signed := func(uri, object string) string {
		return `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo><Reference URI="` + uri +
			`"/></SignedInfo><SignatureValue>AA==</SignatureValue>` + object + `</Signature></alert>`
	}
	now := time.Date(2024, 9, 7, 13, 5, 0, 0, time.FixedZone("", 7*3600))
	at := func(now time.Time) Options { return Options{Now: func() time.Time { return now }} }
	tests := []struct {
		name, text, want string
		opt              Options
	}{
		{name: "A01 Test, then Actual", text: with(t, "<status>", "<status>Test</status><status>"), want: "refused A01"},
		{name: "A02 Actual, then Test", text: with(t, "</status>", "</status><status>Test</status>"), want: "refused A01"},
		{name: "A01 far apart", text: with(t, "</alert>", "<status>Test</status></alert>"), want: "refused A01"},
		{name: "A03 document type", text: with(t, "<alert ", "<!DOCTYPE alert [<!ENTITY x \"y\">]><alert "), want: "refused A03"},
		{name: "A04 nested entities", text: with(t, "<alert ", "<!DOCTYPE alert [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]><alert "), want: "refused A03"},
		{name: "A04 entity of nobody", text: with(t, "Bão số 3", "&bao;"), want: "refused A04"},
		{name: "A05 external entity", text: with(t, "<alert ", "<!DOCTYPE alert [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><alert "), want: "refused A03"},
		{name: "A06 wrong namespace", text: with(t, Namespace, "urn:example:cap"), want: "refused A06"},
		{name: "A06 no namespace", text: with(t, ` xmlns="`+Namespace+`"`, ""), want: "refused A06"},
		{name: "A06 no namespace inside", text: with(t, "<status>", `<status xmlns="">`), want: "refused A06"},
		{name: "A07 foreign status beside the right one", text: with(t, "<status>", `<x:status xmlns:x="urn:example:x">Test</x:status><status>`), want: "refused A07"},
		{name: "A07 foreign element in an area", text: with(t, "<areaDesc>", `<x:y xmlns:x="urn:example:x"/><areaDesc>`), want: "refused A07"},
		{name: "A07 part of a signature astray", text: with(t, "<info>", `<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"/><info>`), want: "refused A07"},
		{name: "A07 signature inside a block", text: with(t, "<area>", `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/><area>`), want: "refused A07"},
		{name: "A08 prefix of nobody", text: with(t, "<status>Actual</status>", "<zz:status>Actual</zz:status>"), want: "refused A08"},
		{name: "A09 comment in a word", text: with(t, "Actual", "Act<!-- -->ual"), want: "refused A09"},
		{name: "A09 instruction in a word", text: with(t, "Actual", "Act<?x?>ual"), want: "refused A09"},
		{name: "A09 comment in a text", text: with(t, "Ở trong", "Ở <!--không--> trong"), want: "refused A09"},
		{name: "A09 comments elsewhere", text: with(t, "<status>", "<!-- x --><?y?><status>"), want: "ok"},
		{name: "A10 element in a word", text: with(t, "Actual", "Te<b>Actual</b>st"), want: "refused A10"},
		{name: "A10 element of nobody in a text", text: with(t, "Ở trong", `<b xmlns="urn:example:x">Ở</b> trong`), want: "refused A10"},
		{name: "A11 second root", text: sample + sample[strings.Index(sample, "<alert"):], want: "refused A11"},
		{name: "A12 text before the root", text: with(t, "<alert ", "Actual <alert "), want: "refused A12"},
		{name: "A12 text after the root", text: sample + "Actual", want: "refused A12"},
		{name: "A13 deep", text: with(t, "<info>", strings.Repeat("<x>", 10_001)+strings.Repeat("</x>", 10_001)+"<info>"), want: "refused A13"},
		{name: "A14 very deep", text: with(t, "<info>", strings.Repeat("<x>", 200_000)), want: "refused A13"},
		{name: "A15 many parameters", text: with(t, "<parameter>", strings.Repeat("<parameter/>", 100_000)+"<parameter>"), want: "refused A15"},
		{name: "A15 many attributes", text: with(t, "<status>", "<status"+strings.Repeat(" a='1'", 65)+">"), want: "refused A15"},
		{name: "A15 many points", text: with(t, polygon, strings.Repeat("20.9,107.6 ", 50_001)), want: "refused A15"},
		{name: "A16 long description", text: with(t, "Bão số 3 trên", strings.Repeat("a", 50<<20)), want: "refused A16"},
		{name: "A17 no area", text: with(t, area, ""), want: "refused A17"},
		{name: "A17 no block", text: sample[:strings.Index(sample, "  <info>")] + "</alert>", want: "refused A17"},
		{name: "A17 one block of two has no area", text: with(t, "</alert>", strings.Replace(english, area, "", 1)+"</alert>"), want: "refused A17"},
		{name: "A18 area by name", text: with(t, shapes, ""), want: "A18"},
		{name: "A19 three points", text: with(t, polygon, "20.9,107.6 20.9,107.9 20.9,107.6"), want: "refused A19"},
		{name: "A20 open", text: with(t, polygon, "20.9,107.6 20.9,107.9 21.1,107.9 21.1,107.6"), want: "refused A20"},
		{name: "A21 bow-tie", text: with(t, polygon, "20.9,107.6 21.1,107.9 20.9,107.9 21.1,107.6 20.9,107.6"), want: "refused A21"},
		{name: "A22 longitude first", text: with(t, polygon, "107.6,20.9 107.9,20.9 107.9,21.1 107.6,21.1 107.6,20.9"), want: "refused A22"},
		{name: "A22 longitude of a circle first", text: with(t, circle, "107.76,20.97 12"), want: "refused A22"},
		{name: "A23 radius -1", text: with(t, circle, "20.97,107.76 -1"), want: "refused A23"},
		{name: "A23 radius 0", text: with(t, circle, "20.97,107.76 0"), want: "refused A23"},
		{name: "A23 radius 40,000", text: with(t, circle, "20.97,107.76 40000"), want: "refused A23"},
		{name: "A23 radius NaN", text: with(t, circle, "20.97,107.76 NaN"), want: "refused A23"},
		{name: "A23 radius Inf", text: with(t, circle, "20.97,107.76 +Inf"), want: "refused A23"},
		{name: "A23 radius in hexadecimal", text: with(t, circle, "20.97,107.76 0x1p4"), want: "refused A23"},
		{name: "A24 expires before sent", text: with(t, "2024-09-07T19:15:00", "2024-09-07T13:14:59"), want: "refused A24"},
		{name: "A25 no offset", text: with(t, "2024-09-07T13:15:00+07:00", "2024-09-07T13:15:00"), want: "refused A25"},
		{name: "A25 no offset of the end", text: with(t, "2024-09-07T19:15:00+07:00", "2024-09-07T19:15:00"), want: "refused A25"},
		{name: "A26 ten minutes ahead", text: sample, opt: at(now), want: "refused A26"},
		{name: "A26 five minutes ahead", text: sample, opt: at(now.Add(5 * time.Minute)), want: "ok"},
		{name: "A27 three years old and signed", text: with(t, "</alert>", signed("", "")), opt: at(now.AddDate(3, 0, 0)), want: "refused A27"},
		{name: "A27 two days old", text: sample, opt: at(now.AddDate(0, 0, 2)), want: "ok"},
		{name: "A31 itself", text: strings.Replace(with(t, ">Alert<", ">Update<"), "  <info>", "<references>bch.quangninh.example,QN-2024-0907-1,2024-09-07T13:15:00+07:00</references><info>", 1), want: "refused A31"},
		{name: "A32 restricted", text: with(t, "Public</scope>", "Restricted</scope><restriction>cán bộ trực</restriction>"), want: "A32"},
		{name: "A32 private", text: with(t, "Public</scope>", "Private</scope><addresses>truc.ban</addresses>"), want: "A32"},
		{name: "A33 two languages, two severities", text: with(t, "</alert>", strings.Replace(english, "Extreme", "Minor", 1)+"</alert>"), want: "A33"},
		{name: "A33 two languages, two severities for one commune", text: strings.Replace(with(t, "</alert>", english+"</alert>"), "  <info>",
			strings.NewReplacer("Extreme", "Minor", "07192", "07195", "20.9,", "19.9,", "20.97", "19.97").Replace(strings.Replace(english, "en-US", "vi-VN", 1))+
				strings.NewReplacer("Extreme", "Severe", "07192", "07195", "20.9,", "19.9,", "20.97", "19.97").Replace(english)+"  <info>", 1), want: "A33"},
		{name: "A33 two languages that agree", text: with(t, "</alert>", english+"</alert>"), want: "ok"},
		{name: "A34 encoding of nobody", text: with(t, "UTF-8", "windows-1258"), want: "refused A34"},
		{name: "A34 mark of UTF-8 and another encoding", text: "\ufeff" + with(t, "UTF-8", "ISO-8859-1"), want: "refused A34"},
		{name: "A34 mark of UTF-8", text: "\ufeff" + sample, want: "ok"},
		{name: "A35 UTF-16", text: utf16Text(sample, true), want: "refused A35"},
		{name: "A35 UTF-16 without a mark", text: utf16Text(sample, false), want: "refused A35"},
		{name: "A35 UTF-16 by word alone", text: with(t, "UTF-8", "UTF-16"), want: "refused A35"},
		{name: "A36 signature of another element", text: with(t, "</alert>", signed("#other", "")), want: "refused A36"},
		{name: "A36 signature of nothing", text: with(t, "</alert>", strings.Replace(signed("", ""), ` URI=""`, "", 1)), want: "refused A36"},
		{name: "A36 signature with a message of its own", text: with(t, "</alert>", signed("", "<Object>"+sample[strings.Index(sample, "<alert"):]+"</Object>")), want: "refused A36"},
		{name: "C81 signature of the whole", text: with(t, "</alert>", signed("", "")), want: "C81"},
		{name: "C81 signature of the whole by its id", text: strings.Replace(with(t, "</alert>", signed("#m", "")), "<alert ", `<alert Id="m" `, 1), want: "C81"},
		{name: "C85 endless tag", text: with(t, "<status>", "<status a='"+strings.Repeat("x", 70<<10)+"'>"), want: "refused C85"},
	}
	for _, tt := range tests {
		rev, notes, err := read(tt.text, tt.opt)
		if got := verdict(t, rev, notes, err); got != tt.want {
			t.Errorf("%s: %s, want %s (%v %v)", tt.name, got, tt.want, err, notes)
		}
	}
}

func utf16Text(s string, mark bool) string {
	if mark {
		s = "\ufeff" + s
	}
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(u))
		b.WriteByte(byte(u >> 8))
	}
	return b.String()
}

// What was refused for its size has not been held in memory first.
func TestRefusalIsCheap(t *testing.T) {
	head, tail, _ := strings.Cut(sample, "Bão số 3 trên")
	many := head + strings.Repeat("</description><description>", 100_000) + tail
	endless := io.MultiReader(strings.NewReader(head), zeros{'a'})
	for name, r := range map[string]io.Reader{
		"endless text":     endless,
		"endless tag":      io.MultiReader(strings.NewReader("<alert x='"), zeros{'a'}),
		"endless depth":    io.MultiReader(strings.NewReader(head[:strings.Index(head, "  <info>")]), &repeated{text: "<x>"}),
		"endless comment":  io.MultiReader(strings.NewReader("<!--"), zeros{'-'}),
		"endless space":    io.MultiReader(strings.NewReader(sample), zeros{' '}),
		"many of one kind": strings.NewReader(many),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := Read(t.Context(), r, Options{})
		runtime.ReadMemStats(&after)
		if _, ok := errors.AsType[*Refusal](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
			t.Errorf("%s: %d bytes allocated", name, grown)
		}
	}
}

type zeros struct{ b byte }

func (z zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = z.b
	}
	return len(p), nil
}

type repeated struct{ text, rest string }

func (r *repeated) Read(p []byte) (int, error) {
	if r.rest == "" {
		r.rest = r.text
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// A source that gives a byte at a time is read; one that breaks is no refusal;
// one that dawdles is given up.
func TestSources(t *testing.T) {
	t.Parallel()
	rev, notes, err := Read(t.Context(), iotest.OneByteReader(strings.NewReader(sample)), Options{})
	if got := verdict(t, rev, notes, err); got != "ok" {
		t.Errorf("byte by byte: %s", got)
	}
	broken := errors.New("the line is dead")
	_, _, err = Read(t.Context(), io.MultiReader(strings.NewReader(sample[:500]), iotest.ErrReader(broken)), Options{})
	var refusal *Refusal
	if !errors.Is(err, broken) || errors.As(err, &refusal) {
		t.Errorf("broken source: %v", err)
	}
	rev, notes, err = Read(t.Context(), zeros{' '}, Options{Timeout: time.Nanosecond})
	if got := verdict(t, rev, notes, err); got != "refused C85" {
		t.Errorf("no time: %s", got)
	}
	for n := range len(sample) - 1 {
		if _, _, err := read(sample[:n], Options{}); err == nil {
			t.Fatalf("cut off after %d bytes, yet read", n)
		}
	}
}

func TestLatin1IsReadWithANote(t *testing.T) {
	t.Parallel()
	text := with(t, "UTF-8", "ISO-8859-1")
	var b []byte
	for _, r := range strings.ReplaceAll(text, "đặc khu Cô Tô", "île Cô Tô") {
		if r > 0xff {
			r = '?'
		}
		b = append(b, byte(r))
	}
	rev, notes, err := read(string(b), Options{})
	if got := verdict(t, rev, notes, err); got != "A34" {
		t.Fatalf("%s: %v", got, err)
	}
	if got := rev.Infos[0].Areas[0].Desc; got != "île Cô Tô" {
		t.Errorf("areaDesc %q", got)
	}
}

func TestOlderKinds(t *testing.T) {
	t.Parallel()
	for _, space := range []string{"urn:oasis:names:tc:emergency:cap:1.1", "urn:oasis:names:tc:emergency:cap:1.0", "http://www.incident.com/cap/1.0"} {
		rev, notes, err := read(with(t, Namespace, space), Options{})
		if got := verdict(t, rev, notes, err); got != "refused C01" {
			t.Errorf("%s: %s", space, got)
		}
	}
}
