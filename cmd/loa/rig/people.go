package rig

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"loa/channels"
	crowd "loa/channels/app/standin"
	push "loa/channels/webpush/standin"
)

// homes are communes of Quảng Ninh that people live in here.
var homes = []string{"06652", "06673", "06685", "06994", "07192", "06799", "06862", "06978", "07090", "06712"}

// others are the rest of its communes.
var others = []string{
	"06658", "06661", "06676", "06688", "06706", "06709", "06724", "06733", "06736", "06757", "06760", "06778", "06781", "06793", "06811",
	"06820", "06832", "06838", "06841", "06856", "06874", "06877", "06886", "06895", "06913", "06922", "06931", "06946", "06967", "06979",
	"06985", "07030", "07054", "07060", "07069", "07081", "07093", "07114", "07132", "07135", "07147", "07168", "07180", "07183",
}

// draw makes the people, who are the same in every run.
func (r *Rig) draw() {
	r.Helper()
	n := r.Options.People
	phones, browsers := n*6/10, n*3/10
	var subs []push.Subscription
	if browsers > 0 {
		body := fmt.Sprintf(`{"count": %d, "from": 0}`, browsers)
		resp, err := http.Post(r.push+"/subscribe", "application/json", strings.NewReader(body)) //nolint:noctx // loopback
		if err != nil {
			r.Fatal(err)
		}
		err = json.NewDecoder(resp.Body).Decode(&subs)
		_ = resp.Body.Close()
		if err != nil || len(subs) != browsers {
			r.Fatalf("%d subscriptions, %v", len(subs), err)
		}
	}
	homes := homes
	if r.Options.Everywhere {
		homes = slices.Concat(homes, others)
	}
	keys := crowd.New(crowd.Options{Seed: "rig"})
	for i := range n {
		p := Person{Kind: channels.App, Commune: homes[i%len(homes)]}
		switch {
		case i < phones:
			p.Kind, p.Address = channels.SMS, fmt.Sprintf("%s%07d", r.Options.Ranges[i%len(r.Options.Ranges)], i)
		case i < phones+browsers:
			text, err := json.Marshal(subs[i-phones])
			if err != nil {
				r.Fatal(err)
			}
			p.Kind, p.Address = channels.WebPush, string(text)
		default:
			p.Address = keys.Key(i - phones - browsers)
		}
		r.People = append(r.People, p)
	}
}

// subscribe imports the people.
func (r *Rig) subscribe(n *Node) {
	r.Helper()
	var file bytes.Buffer
	w := csv.NewWriter(&file)
	_ = w.Write([]string{"kind", "address", "commune", "language", "basis", "consent_text", "consent_at", "roster"})
	for _, p := range r.People {
		_ = w.Write([]string{string(p.Kind), p.Address, p.Commune, "vi", "consent", "v1", "2026-01-02T03:04:05+07:00", "false"})
	}
	w.Flush()
	n.Loa("", file.String(), "subscribers", "import", "-")
}

// OpenCalls is workers × window over all channels of one node; the app has one
// call a worker, for a commune's whole batch.
func (r *Rig) OpenCalls() int {
	batch, perCommune := 0, map[string]int{}
	for _, p := range r.People {
		if p.Kind == channels.App {
			perCommune[p.Commune]++
			batch = max(batch, perCommune[p.Commune])
		}
	}
	return SMSWorkers*SMSWindow + PushWorkers*PushWindow + AppWorkers*batch*64
}

// Token is the author's (0) or the approver's (1).
func (r *Rig) Token(i int) string { return r.tokens[i] }

// PushKey is the private key that pushes are signed with.
func (r *Rig) PushKey() channels.Secret { return r.pushKey }
