package smpp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/linxGnu/gosmpp/data"
	"pgregory.net/rapid"

	"loa/channels"
	"loa/channels/sms"
	"loa/channels/sms/smpp/standin"
)

// Whatever the text, it goes out in as many parts as are counted and paid, and
// the phone shows it unchanged.
func TestTextsArriveUnchanged(t *testing.T) {
	t.Parallel()
	c, origin := serve(t, nil)
	s := openSender(t, section(origin), deps(origin, nil))
	gsm := rapid.SampledFrom([]rune("@£$èùòÇ\nØ_ΦΓ^{}\\[~]|€ aAzZ09!?Ñà"))
	any := rapid.OneOf(gsm, rapid.SampledFrom([]rune("ữộằĐ🌊𠀀́")), rapid.Rune())
	rapid.Check(t, func(t *rapid.T) {
		draw := gsm
		if rapid.Bool().Draw(t, "unicode") {
			draw = any
		}
		text := strings.ReplaceAll(string(rapid.SliceOfN(draw, 1, 500).Draw(t, "text")), "\ufffd", "?")
		parts, coding := split(text)
		n, name := sms.Parts(text)
		if len(parts) != n || (name == sms.GSM7) != (coding == data.GSM7BIT) {
			t.Fatalf("%d parts in coding %d; counted as %d of %s", len(parts), coding.DataCoding(), n, name)
		}
		m := message1(nil, "")
		m.Body = []byte(text)
		if _, err := s.Send(t.Context(), m); err != nil {
			t.Fatalf("send: %v", err)
		}
		shown := standin.Messages(c.Books().All())
		if got := shown[len(shown)-1]; !got.Whole || got.Text != text || len(got.IDs) != n || got.To != m.To.Reveal() {
			t.Fatalf("sent %q, the phone shows %+v", text, got)
		}
	})
}

func TestRequestFields(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 9, 7, 13, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		from, extra string
		left        time.Duration
		source      string
		ton, npi    byte
		validity    string
	}{
		{"QuangNinh", "", 90 * time.Second, "QuangNinh", 5, 0, "000000000130000R"},
		{`"+84901234567"`, "", 300 * time.Millisecond, "84901234567", 1, 1, "000000000001000R"},
		{`"8099"`, "", 25*time.Hour + time.Second, "8099", 3, 0, "000001000000000R"},
		{`"8099"`, "from_ton: 0\nfrom_npi: 1", 23*time.Hour + 59*time.Minute + 59*time.Second, "8099", 0, 1, "000000235959000R"},
	} {
		d := deps("smpp://127.0.0.1:2775", nil)
		d.Now = func() time.Time { return now }
		s := openSender(t, strings.Replace(section("smpp://127.0.0.1:2775", c.extra), source, c.from, 1), d)
		parts, coding := split(long)
		m := &message{to: "+84912345678", expires: now.Add(c.left), parts: parts, coding: coding, reference: 9}
		for i := range parts {
			p, err := s.request(m, i)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintln(p.SourceAddr.Address(), p.SourceAddr.Ton(), p.SourceAddr.Npi(), p.DestAddr.Address(), p.DestAddr.Ton(), p.DestAddr.Npi(),
				p.ValidityPeriod, p.RegisteredDelivery, p.EsmClass, p.Message.UDH())
			want := fmt.Sprintln(c.source, c.ton, c.npi, "84912345678", 1, 1, c.validity, 1, 0x40, fmt.Sprintf("[{0 [9 3 %d]}]", i+1))
			if got != want {
				t.Errorf("part %d of %s is %s, want %s", i+1, c.from, got, want)
			}
		}
		m.expires = now
		if _, err := s.request(m, 0); err == nil || channels.AsError(err).Fault != channels.FaultTransient {
			t.Errorf("expired: %v", err)
		}
	}
}

func TestTextTooLong(t *testing.T) {
	t.Parallel()
	c, origin := serve(t, nil)
	s := openSender(t, section(origin), deps(origin, nil))
	m := message1(t, "")
	m.Body = []byte(strings.Repeat("ữ", 67*255+1))
	if _, err := s.Send(t.Context(), m); err == nil || channels.AsError(err).Fault != channels.FaultContent {
		t.Errorf("error is %v", err)
	}
	if c.Stats().Requests != 0 {
		t.Error("parts were sent")
	}
}
