package cap

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"loa/gateway/alert"
)

// sample is a message without fault; tests change one thing of it.
const sample = `<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>QN-2024-0907-1</identifier>
  <sender>bch.quangninh.example</sender>
  <sent>2024-09-07T13:15:00+07:00</sent>
  <status>Actual</status>
  <msgType>Alert</msgType>
  <scope>Public</scope>
  <info>
    <language>vi-VN</language>
    <category>Met</category>
    <event>Bão số 3</event>
    <responseType>Shelter</responseType>
    <urgency>Immediate</urgency>
    <severity>Extreme</severity>
    <certainty>Observed</certainty>
    <eventCode>
      <valueName>VN-hazard</valueName>
      <value>storm</value>
    </eventCode>
    <expires>2024-09-07T19:15:00+07:00</expires>
    <senderName>Ban Chỉ huy Phòng thủ dân sự tỉnh Quảng Ninh</senderName>
    <headline>Bão số 3 đổ bộ, ở trong nhà</headline>
    <description>Bão số 3 trên vịnh Bắc Bộ, gió cấp 12-14.</description>
    <instruction>Ở trong nhà chắc chắn.</instruction>
    <web>https://quangninh.example/QN-2024-0907-1</web>
    <contact>112</contact>
    <parameter>
      <valueName>VN-risk-level</valueName>
      <value>4</value>
    </parameter>
    <resource>
      <resourceDesc>Bản đồ</resourceDesc>
      <mimeType>image/png</mimeType>
      <uri>https://quangninh.example/ban-do.png</uri>
    </resource>
    <area>
      <areaDesc>đặc khu Cô Tô</areaDesc>
      <polygon>20.9,107.6 20.9,107.9 21.1,107.9 21.1,107.6 20.9,107.6</polygon>
      <circle>20.97,107.76 12</circle>
      <geocode>
        <valueName>VN-NSO-2025</valueName>
        <value>07192</value>
      </geocode>
    </area>
  </info>
</alert>
`

// english is the same warning in English, to stand behind the Vietnamese block.
var english = func() string {
	info := sample[strings.Index(sample, "  <info>"):strings.Index(sample, "</alert>")]
	return strings.Replace(info, "vi-VN", "en-US", 1)
}()

// with changes one place of the sample; the place must be there.
func with(t *testing.T, old, replacement string) string {
	t.Helper()
	if !strings.Contains(sample, old) {
		t.Fatalf("the sample has no %q", old)
	}
	return strings.Replace(sample, old, replacement, 1)
}

func read(text string, opt Options) (*alert.Revision, []Note, error) {
	return Read(context.Background(), strings.NewReader(text), opt)
}

// verdict is "ok", the rules of the notes in order and once each, or
// "refused " and the rule. Any other error fails the test.
func verdict(t *testing.T, rev *alert.Revision, notes []Note, err error) string {
	t.Helper()
	if err != nil {
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			t.Fatalf("%v is no refusal", err)
		}
		if rev != nil || notes != nil {
			t.Fatalf("refused, yet something came out: %v %v", rev, notes)
		}
		if refusal.Line < 1 || refusal.Column < 1 || refusal.Text == "" {
			t.Fatalf("refusal without place or reason: %+v", refusal)
		}
		return "refused " + refusal.Rule
	}
	if len(notes) == 0 {
		return "ok"
	}
	var rules []string
	for _, n := range notes {
		if n.Line < 1 || n.Column < 1 || n.Text == "" {
			t.Fatalf("note without place or text: %+v", n)
		}
		if !slices.Contains(rules, n.Rule) {
			rules = append(rules, n.Rule)
		}
	}
	slices.Sort(rules)
	return strings.Join(rules, " ")
}

// corpus is the folder of real messages beside the checkout.
func corpus(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "data", "cap")
	if _, err := os.Stat(dir); err != nil {
		missing(t, "the folder of real messages does not stand beside the checkout")
	}
	return dir
}

// missing skips a test whose means are not there; in CI that is a failure.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// lint has xmllint check the files against the official schema.
func lint(t *testing.T, files ...string) (string, error) {
	t.Helper()
	schema := filepath.Join(corpus(t), "CAP-v1.2.xsd")
	if _, err := exec.LookPath("xmllint"); err != nil {
		missing(t, "xmllint is not installed")
	}
	args := append([]string{"--nonet", "--noout", "--schema", schema}, files...)
	out, err := exec.CommandContext(t.Context(), "xmllint", args...).CombinedOutput()
	return string(out), err
}
