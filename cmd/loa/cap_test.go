package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const capMessage = `<?xml version="1.0"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>QN-1</identifier>
  <sender>bch.quangninh.example</sender>
  <sent>2024-09-07T13:15:00+07:00</sent>
  <status>Actual</status>
  <msgType>Alert</msgType>
  <scope>Public</scope>
  <info>
    <language>vi-VN</language>
    <category>Met</category>
    <event>Bão số 3</event>
    <urgency>Immediate</urgency>
    <severity>Extreme</severity>
    <certainty>Observed</certainty>
    <expires>2024-09-07T19:15:00+07:00</expires>
    <headline>Bão số 3</headline>
    <area>
      <areaDesc>đặc khu Cô Tô</areaDesc>
      <geocode>
        <valueName>VN-NSO-2025</valueName>
        <value>07192</value>
      </geocode>
    </area>
  </info>
</alert>
`

func capFile(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func runCap(t *testing.T, stdin string, args ...string) (out string, err error) {
	t.Helper()
	var b, e bytes.Buffer
	c := newCapCommand()
	c.SetArgs(append([]string{"validate"}, args...))
	c.SetIn(strings.NewReader(stdin))
	c.SetOut(&b)
	c.SetErr(&e)
	err = c.ExecuteContext(t.Context())
	if strings.Contains(e.String(), "Usage:") {
		t.Errorf("usage for a refused file: %s", e.String())
	}
	return b.String(), err
}

func TestCapValidateJSON(t *testing.T) {
	t.Parallel()
	good := capFile(t, "good.xml", capMessage)
	noted := capFile(t, "noted.xml", strings.Replace(capMessage, "Observed", "Very Likely", 1))
	refused := capFile(t, "refused.xml", strings.Replace(capMessage, "<status>", "<status>Test</status><status>", 1))
	absent := filepath.Join(t.TempDir(), "absent.xml")
	out, err := runCap(t, "", "--json", good, noted, refused, absent)
	if !errors.Is(err, errCapRefused) {
		t.Errorf("error %v", err)
	}
	var got []string
	for line := range strings.Lines(out) {
		var v struct {
			File, Verdict string
			Notes         []struct {
				Rule, Text   string
				Line, Column int
			}
		}
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if v.Notes == nil {
			t.Errorf("%q: notes is no list", line)
		}
		row := filepath.Base(v.File) + " " + v.Verdict
		for _, n := range v.Notes {
			row += fmt.Sprintf(" %s:%d:%d", n.Rule, n.Line, n.Column)
			if n.Text == "" {
				t.Errorf("%q: a note says nothing", line)
			}
		}
		got = append(got, row)
	}
	want := []string{"good.xml ok", "noted.xml notes C47:15:5", "refused.xml refused A01:6:24", "absent.xml refused file:0:0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestCapValidateText(t *testing.T) {
	t.Parallel()
	file := capFile(t, "a.xml", strings.Replace(capMessage, ">Actual<", ">actual<", 1))
	out, err := runCap(t, "", file)
	if !errors.Is(err, errCapRefused) {
		t.Errorf("error %v", err)
	}
	want := file + ":6:3: C08: <status> is \"actual\", which is none of CAP's words for it\n" + file + ": refused\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	out, err = runCap(t, strings.Replace(capMessage, "Observed", "Very Likely", 1), "-")
	if err != nil || !strings.HasPrefix(out, "-:15:5: C47: ") || !strings.HasSuffix(out, "\n-: notes\n") {
		t.Errorf("standard input: %v\n%s", err, out)
	}
	if out, err := runCap(t, capMessage, "-"); err != nil || out != "-: ok\n" {
		t.Errorf("standard input: %v\n%s", err, out)
	}
}

func TestCapValidateNeedsAFile(t *testing.T) {
	t.Parallel()
	if _, err := runCap(t, ""); err == nil || errors.Is(err, errCapRefused) {
		t.Errorf("error %v", err)
	}
}
