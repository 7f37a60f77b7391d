package render_test

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loa/channels/sms"
	"loa/gateway/render"
)

const peers = "../../.ci/npm/node_modules"

// countParts reads a JSON list of texts and prints what two independent
// libraries count: parts and encoding of each.
const countParts = `
const { SegmentedMessage } = require(process.argv[1] + '/sms-segments-calculator');
const split = require(process.argv[1] + '/split-sms').split;
const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(texts.map(t => {
  const a = new SegmentedMessage(t), b = split(t);
  return { a: a.segmentsCount, aEnc: a.encodingName, b: b.parts.length, bEnc: b.characterSet };
})));`

// Two independent libraries agree with the part counts of every SMS of the
// catalogue, at its longest and as rendered for a short name.
func TestPartsAgreeWithPeers(t *testing.T) {
	t.Parallel()
	dir, err := filepath.Abs(peers)
	if err != nil {
		t.Fatal(err)
	}
	needed(t, filepath.Join(dir, "sms-segments-calculator"))
	needed(t, filepath.Join(dir, "split-sms"))
	r := newRenderer(t, func(o *render.Options) { o.Now = func() time.Time { return issued } })
	var texts []string
	for _, w := range rows(t) {
		if !isSMS(w) {
			continue
		}
		texts = append(texts, w.longest)
		made, err := r.Twins(exampleRevision(w), haTu, w.lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range made {
			if x.Text != "" {
				texts = append(texts, x.Text)
			}
		}
	}
	if len(texts) < 84*2 {
		t.Fatalf("%d texts", len(texts))
	}
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "-e", countParts, dir)
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	var theirs []struct {
		A, B       int
		AEnc, BEnc string
	}
	if err := json.Unmarshal(out, &theirs); err != nil || len(theirs) != len(texts) {
		t.Fatalf("%d answers for %d texts: %v", len(theirs), len(texts), err)
	}
	names := map[string][2]string{sms.GSM7: {"GSM-7", "GSM"}, sms.UCS2: {"UCS-2", "Unicode"}}
	for i, text := range texts {
		parts, encoding := sms.Parts(text)
		p := theirs[i]
		if p.A != parts || p.B != parts || p.AEnc != names[encoding][0] || p.BEnc != names[encoding][1] {
			t.Errorf("%s in %d parts; peers: %+v\n%s", encoding, parts, p, text)
		}
	}
}
