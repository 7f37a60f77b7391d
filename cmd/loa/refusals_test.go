package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestRefusedFilesAreNamedOnce: what is wrong with a file is said with its place,
// every fault of a row, and each once.
func TestRefusedFilesAreNamedOnce(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	const atOnce = "loa: f.csv: the file has bad rows, nothing was imported\n"
	for name, c := range map[string]struct{ text, says string }{
		"empty":      {"", "loa: f.csv:1: kind: missing: the file is empty\n"},
		"no columns": {"kind,address\n", "loa: f.csv:1: commune: missing\n"},
		"a workbook": {"PK\x03\x04", "loa: f.csv:1: this is a workbook (.xlsx, .ods), not CSV; save it as \"CSV UTF-8 (Comma delimited) (*.csv)\" in Excel, " +
			"or as \"Text CSV\" with the character set \"Unicode (UTF-8)\" in LibreOffice\n"},
		"a quote":      {"kind,addr\"ess\n", "loa: f.csv:1: a quote in the wrong place (RFC 4180)\n"},
		"an open row":  {csvHead + `sms,"` + string(make([]byte, 100<<10)), "loa: f.csv: read the file after line 1: a row longer than 64 KiB, or a quote that is not closed\n"},
		"bad all over": {csvHead + "sms,12,,fr,why\n", "f.csv:2: address: too short for a Vietnamese mobile number\nf.csv:2: commune: missing\nf.csv:2: language: vi or en\nf.csv:2: basis: one of consent, duty, emergency_order\n" + atOnce},
		"a fax":        {csvHead + "fax,12,06673,vi,duty\nsms,0912345678,06673,vi,\n", "f.csv:2: kind: one of sms, webpush, app\nf.csv:3: basis: one of consent, duty, emergency_order\n" + atOnce},
	} {
		_, fault, code := loa(t, "", "subscribers", "import", write(t, "f.csv", c.text))
		if code != 1 || fault != c.says {
			t.Errorf("%s: exit %d\n%swant\n%s", name, code, fault, c.says)
		}
	}
}

// TestRefusalsNameTheirCause: the value, or the flags that are missing.
func TestRefusalsNameTheirCause(t *testing.T) {
	t.Chdir(t.TempDir())
	fails(t, `territory "999": a territory is VN, a province code`, "person", "add", "A", "--territory", "999")
	fails(t, `territory "98": a territory is VN, a province code`, "person", "add", "A", "--territory", "98")
	fails(t, "the configuration has none (sms.senders)\n  give both --provider and --sender", "templates", "export")
	fails(t, "give both --provider and --sender", "templates", "export", "--sender", "X")
	must(t, "templates", "export", "--provider", "twilio", "--sender", "X")
}

// TestADriverIsConfiguredOnce: a second entry is refused at its place, by the
// check as by the start.
func TestADriverIsConfiguredOnce(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LOA_STANDIN_TOKEN", "drilldrilldrilldrilldrilldrill12")
	path := drill(t, dir, "http://127.0.0.1:8091")
	text := read(t, path)
	entry := regexp.MustCompile(`(?m)^  - driver: twilio\n(    .*\n)+`).FindString(text)
	if entry == "" {
		t.Fatal("the sample has no twilio channel")
	}
	before, _, _ := strings.Cut(text, entry)
	write(t, path, strings.Replace(text, entry, entry+entry, 1))
	line := strings.Count(before+entry, "\n") + 1
	says := fmt.Sprintf("%s:%d:5: channels[1].driver: twilio is a channel already: each driver is configured once\n", path, line)
	for _, command := range []string{"check", "serve"} {
		fails(t, says, command, "--config", path)
	}
}

// TestTheLedgerIsItsOwnersAlone: whatever the mask of the process, and also one
// that was made readable to others.
func TestTheLedgerIsItsOwnersAlone(t *testing.T) {
	t.Chdir(t.TempDir())
	file := filepath.Join("data", "loa.db")
	for range 2 {
		must(t, "person", "list")
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v", file, info.Mode())
		}
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// What is written beside it while a gateway runs is too.
	config := doctorConfig(t, "none", "")
	background(t, "serve", "--config", config).wait(t, "Loa serves")
	var seen []string
	err := filepath.WalkDir(filepath.Join(filepath.Dir(config), "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v", path, info.Mode())
		}
		seen = append(seen, d.Name())
		return err
	})
	if err != nil || !slices.Contains(seen, "loa.db-wal") {
		t.Errorf("looked at %v, %v", seen, err)
	}
}
