package cap

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Whatever comes in, the reader neither panics nor lets through a message of
// which a decisive part is missing; and what it reads and CAP allows to be
// written is read back as the same.
func FuzzRead(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(strings.Replace(sample, "Alert<", "Cancel<", 1)))
	f.Add([]byte(strings.Replace(sample, "UTF-8", "ISO-8859-1", 1)))
	f.Add([]byte(`<a:alert xmlns:a="` + Namespace + `"><a:identifier>x</a:identifier></a:alert>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		rev, notes, err := Read(t.Context(), bytes.NewReader(text), Options{MaxBytes: 64 << 10, Timeout: time.Minute})
		if err != nil {
			var refusal *Refusal
			if !errors.As(err, &refusal) || rev != nil || notes != nil {
				t.Fatalf("%v, %v, %v", rev, notes, err)
			}
			return
		}
		if rev.Identifier == "" || rev.Sender == "" || rev.Sent.IsZero() || rev.Status == "" || rev.MsgType == "" || rev.Scope == "" {
			t.Fatalf("a decisive part is missing: %+v", rev)
		}
		var b bytes.Buffer
		if Write(&b, rev) != nil {
			return
		}
		back, _, err := Read(t.Context(), &b, Options{})
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		if len(rev.Infos) > 1 {
			return // the writer puts Vietnamese first
		}
		if diff := cmp.Diff(rev, back, cmpopts.EquateEmpty(), cmp.Comparer(sameTime)); diff != "" {
			t.Fatalf("(-read +read again)\n%s", diff)
		}
	})
}
