package audience

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"loa/channels"
	"loa/gateway/area"
)

const headerLine = "kind,address,commune,language,basis,consent_text,consent_at,roster\n"

func valid(c area.Code) error {
	if len(c) != 5 || c[0] != '0' {
		return errors.New("not a commune in force")
	}
	return nil
}

func importing(t *testing.T, m *memory, r io.Reader, skip bool) (Report, []BadRow, error) {
	t.Helper()
	var bad []BadRow
	b := &Book{Store: m, Vault: vault(t, secret(1))}
	rep, err := b.Import(t.Context(), r, ImportOptions{Now: now, Source: "test.csv", Valid: valid, SkipBad: skip, Bad: func(r BadRow) { bad = append(bad, r) }})
	return rep, bad, err
}

func TestImport(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("A", 43)
	push := strings.ReplaceAll(pushSubscription(t, "https://push.example/1"), `"`, `""`)
	file := "\ufeffcommune,roster,kind,address,basis,consent_text,consent_at,language\r\n" +
		"07111,,sms,0912 345 678,consent,v1,2026-01-02,\r\n" +
		"07112,true,app," + key + ",duty,,,en\n" +
		"07111,false,webpush,\"" + push + "\",consent,v1,2026-01-02T08:00:00+07:00,vi\n"
	m := &memory{}
	rep, bad, err := importing(t, m, strings.NewReader(file), false)
	if err != nil || len(bad) != 0 {
		t.Fatalf("%v, %v", err, bad)
	}
	if diff := cmp.Diff(Report{Rows: 3, Added: 3}, rep); diff != "" {
		t.Error(diff)
	}
	type row struct {
		Kind     channels.Kind
		Commune  area.Code
		Language string
		Basis    Basis
		At       string
		Roster   bool
	}
	var got []row
	for _, e := range m.live {
		if e.Address != "" {
			t.Error("an address was stored in the clear")
		}
		at := ""
		if !e.ConsentAt.IsZero() {
			at = e.ConsentAt.UTC().Format("2006-01-02T15:04")
		}
		got = append(got, row{e.Kind, e.Commune, e.Language, e.Basis, at, e.Roster})
	}
	want := []row{
		{channels.SMS, "07111", "vi", Consent, "2026-01-01T17:00", false},
		{channels.App, "07112", "en", Duty, "", true},
		{channels.WebPush, "07111", "vi", Consent, "2026-01-02T01:00", false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestImportOfOfficeFiles reads what spreadsheets write, or says how to save it.
func TestImportOfOfficeFiles(t *testing.T) {
	t.Parallel()
	const rows = "kind,address,commune,basis,language\nsms,0912345678,07111,duty,vi\n"
	wide := func(s string) string {
		var b strings.Builder
		for _, c := range s {
			b.WriteByte(byte(c))
			b.WriteByte(0)
		}
		return b.String()
	}
	for name, tc := range map[string]struct{ file, refused string }{
		"commas":               {rows, ""},
		"semicolons":           {strings.ReplaceAll(rows, ",", ";"), ""},
		"semicolons, mark, CR": {"\ufeff" + strings.NewReplacer(",", ";", "\n", "\r\n").Replace(rows), ""},
		"tabs":                 {strings.ReplaceAll(rows, ",", "\t"), ""},
		"UTF-16 with a mark":   {"\xff\xfe" + wide(rows), "UTF-16"},
		"UTF-16, big end":      {"\xfe\xff\x00k", "UTF-16"},
		"UTF-16 bare":          {wide(rows), "UTF-16"},
		"a workbook":           {"PK\x03\x04\x14\x00", "workbook"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rep, bad, err := importing(t, &memory{}, strings.NewReader(tc.file), false)
			if tc.refused == "" {
				if err != nil || len(bad) != 0 || rep.Added != 1 {
					t.Fatalf("%+v, %v, %v", rep, bad, err)
				}
				return
			}
			var head *HeaderError
			if !errors.As(err, &head) || !strings.Contains(err.Error(), tc.refused) || !strings.Contains(err.Error(), "CSV UTF-8") {
				t.Errorf("error %q, want one that names %s and says how to save the file", err, tc.refused)
			}
		})
	}
}

func TestImportNamesBadRows(t *testing.T) {
	t.Parallel()
	file := headerLine +
		"sms,0912345678,07111,vi,consent,v1,2026-01-02,\n" + // 2: good
		"sms,02438255555,07111,vi,consent,v1,2026-01-02,\n" + // 3
		"fax,0912345679,07111,vi,duty,,,\n" + // 4
		"sms,0912345679,1,vi,duty,,,\n" + // 5
		"sms,0912345679,,vi,duty,,,\n" + // 6
		"sms,0912345679,07111,Tiếng Việt,duty,,,\n" + // 7
		"sms,0912345679,07111,vi,why,,,\n" + // 8
		"sms,0912345679,07111,vi,consent,,2026-01-02,\n" + // 9
		"sms,0912345679,07111,vi,consent,v1,,\n" + // 10
		"sms,0912345679,07111,vi,consent,v1,01/02/2026,\n" + // 11
		"sms,0912345679,07111,vi,consent,v1,2027-01-02,\n" + // 12
		"sms,0912345679,07111,vi,consent,=HYPERLINK(1),2026-01-02,\n" + // 13
		"sms,0912345679,07111,vi,duty,,,maybe\n" + // 14
		"sms,0912345679,07111\n" + // 15
		"sms,0912\"345679,07111,vi,duty,,,\n" + // 16
		"sms,\"0912345679\n\",07111,vi,duty,,,\n" + // 17 and 18
		"sms,+84 912 345 678,07111,vi,duty,,,\n" + // 19: repeats line 2
		"sms,0912345670,07111,,duty,,,1\n" + // 20: good
		"sms,02438255555,1,fr,why,,yesterday,maybe\n" + // 21: nothing is right
		"fax,0912345679,,vi,consent,,soon,\n" // 22
	want := []string{
		"line 3: address: a landline", "line 4: kind: ", "line 5: commune: not a commune", "line 6: commune: missing", "line 7: language: ",
		"line 8: basis: ", "line 9: consent_text: missing", "line 10: consent_at: missing", "line 11: consent_at: a time such as",
		"line 12: consent_at: in the future", "line 13: consent_text: ", "line 14: roster: ", "line 15: not as many fields",
		"line 16: a quote", "line 17: address: ", "line 19: address: stands on an earlier line",
		"line 21: address: a landline cannot receive SMS; commune: not a commune in force; language: vi or en; basis: one of consent, duty, emergency_order; " +
			"consent_at: a time such as 2025-07-01T08:00:00+07:00 or a date such as 2025-07-01; roster: true or false",
		"line 22: kind: one of sms, webpush, app; commune: missing; consent_text: missing, and basis is consent; consent_at: a time such as 2025-07-01T08:00:00+07:00 or a date such as 2025-07-01",
	}
	for _, skip := range []bool{false, true} {
		m := &memory{}
		rep, bad, err := importing(t, m, strings.NewReader(file), skip)
		if len(bad) != len(want) {
			t.Fatalf("skip %v: %d bad rows, want %d: %v", skip, len(bad), len(want), bad)
		}
		for i, b := range bad {
			if s := b.String(); !strings.HasPrefix(s, want[i]) || strings.Contains(s, "345") {
				t.Errorf("skip %v: %q, want %q and no number", skip, s, want[i])
			}
			if b.Duplicate != (b.Line == 19) {
				t.Errorf("skip %v: %v", skip, b)
			}
		}
		wantRep := Report{Rows: 20, Bad: 17, Duplicates: 1}
		if skip {
			wantRep.Added = 2
			if err != nil {
				t.Error(err)
			}
		} else if !errors.Is(err, ErrBadRows) || m.aborted != 1 || len(m.live) != 0 {
			t.Errorf("%v; aborted %d, live %d", err, m.aborted, len(m.live))
		}
		if diff := cmp.Diff(wantRep, rep); diff != "" {
			t.Errorf("skip %v: %s", skip, diff)
		}
	}
}

func TestImportRefusesHeaders(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                   "empty",
		"kind,address,commune\n":             `"basis": missing`,
		"kind,address,commune,basis,phone\n": `"phone": unknown`,
		"kind,address,commune,basis,kind\n":  `"kind": given twice`,
		"sms,0912345678,07111,consent\n":     `"sms": unknown`,
		"0912345678,sms,07111,consent\n":     `"…": unknown`,
		"Kind,address,commune,basis\n":       `"Kind": unknown`,
		"\"kind\n":                           "quote",
	} {
		m := &memory{}
		_, _, err := importing(t, m, strings.NewReader(in), true)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "345") {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
		if m.staged != nil {
			t.Errorf("%q: an import was begun", in)
		}
	}
}

// people yields n rows without holding them.
type people struct {
	i, n int
	rest string // of a row
}

func (p *people) Read(b []byte) (int, error) {
	if p.rest == "" {
		if p.i > p.n {
			return 0, io.EOF
		}
		p.rest = headerLine
		if p.i > 0 {
			p.rest = fmt.Sprintf("sms,09%08d,%05d,vi,duty,,,\n", p.i, p.i%50)
		}
		p.i++
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func TestImportStagesInSmallCommits(t *testing.T) {
	defer goleak.VerifyNone(t)
	m := &memory{}
	b := &Book{Store: m, Vault: vault(t, secret(1))}
	var steps, last int
	rep, err := b.Import(t.Context(), &people{n: 5500}, ImportOptions{Now: now, Valid: valid, Progress: func(rows int, bytes int64) {
		if rows < last || bytes == 0 {
			t.Errorf("progress went from %d to %d rows, %d bytes", last, rows, bytes)
		}
		steps, last = steps+1, rows
	}})
	if err != nil || rep.Added != 5500 || last != 5500 || steps < 6 {
		t.Errorf("%+v, %v; %d steps to %d", rep, err, steps, last)
	}
	if diff := cmp.Diff([]int{1000, 1000, 1000, 1000, 1000, 500}, m.sizes); diff != "" {
		t.Error(diff)
	}
	rep, err = b.Import(t.Context(), &people{n: 100}, ImportOptions{Now: now, Valid: valid})
	if err != nil || rep.Added != 0 || rep.Known != 100 {
		t.Errorf("again: %+v, %v", rep, err)
	}
}

func TestImportFaultsLeaveNothing(t *testing.T) {
	defer goleak.VerifyNone(t)
	for name, tc := range map[string]struct {
		store *memory
		in    io.Reader
		want  error
	}{
		"store fails":      {&memory{failStage: 3}, &people{n: 20000}, errFault},
		"file fails":       {&memory{}, io.MultiReader(io.LimitReader(&people{n: 20000}, 90000), failing{}), errFault},
		"quote not closed": {&memory{}, strings.NewReader(headerLine + "sms,\"" + strings.Repeat("9", 10<<20)), ErrRecord},
	} {
		rep, _, err := importing(t, tc.store, tc.in, true)
		if !errors.Is(err, tc.want) || tc.store.aborted != 1 || len(tc.store.live) != 0 || len(tc.store.staged) != 0 {
			t.Errorf("%s: %v, %+v; aborted %d", name, err, rep, tc.store.aborted)
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errFault }

func TestImportStopsWithItsContext(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(t.Context())
	m := &memory{}
	b := &Book{Store: m, Vault: vault(t, secret(1))}
	_, err := b.Import(ctx, &people{n: 1 << 30}, ImportOptions{Now: now, Valid: valid, Progress: func(int, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) || m.aborted != 1 || len(m.live) != 0 {
		t.Errorf("%v; aborted %d, live %d", err, m.aborted, len(m.live))
	}
}
