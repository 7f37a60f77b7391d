package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"loa/channels"
	carrier "loa/channels/sms/standin"
	"loa/gateway"
	"loa/gateway/web/api"
)

var (
	idForm   = regexp.MustCompile(`\b\d{8}T\d{6}Z-[a-z0-9]+|\bkeyed-[a-z0-9]+`)
	hashForm = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
)

// alert has a storm warning drafted, submitted and approved by two people.
func (p *province) alert() string {
	p.t.Helper()
	draft := p.loa(p.tokens[0], "", "alert", "example")
	id := idForm.FindString(p.loa(p.tokens[0], draft, "alert", "draft", "-"))
	if id == "" {
		p.t.Fatal("the draft has no id")
	}
	hash := hashForm.FindString(p.loa(p.tokens[0], "", "alert", "submit", id))
	if hash == "" {
		p.t.Fatal("the submission has no hash")
	}
	p.loa(p.tokens[1], "", "alert", "approve", id, "--hash", hash)
	return id
}

func (p *province) status(id string) api.Alert {
	p.t.Helper()
	var a api.Alert
	if err := json.Unmarshal([]byte(p.loa(p.tokens[0], "", "alert", "status", id, "--json")), &a); err != nil {
		p.t.Fatal(err)
	}
	return a
}

// page gets a page of the public listener.
func (p *province) page(path string, header ...string) (status int, body string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.public+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	src, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(src)
}

// ready is what the gateway says of its readiness.
func (p *province) ready() string {
	p.t.Helper()
	_, body := p.page("/readyz")
	var r gateway.Readiness
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return body
	}
	if !r.Ready {
		return "not ready: " + body
	}
	return "ready " + r.Mode
}

// metric sums the samples of a metric that have all the labels.
func (p *province) metric(name string, labels ...string) float64 {
	p.t.Helper()
	status, body := p.page("/metrics")
	if status != http.StatusOK {
		p.t.Fatalf("/metrics: %d", status)
	}
	sum, known := 0.0, strings.Contains(body, "# TYPE "+name+" ")
samples:
	for line := range strings.Lines(body) {
		fields := strings.Fields(line)
		if series, _, _ := strings.Cut(line, " "); len(fields) != 2 || series != name && !strings.HasPrefix(series, name+"{") {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(fields[0], l) {
				continue samples
			}
		}
		v, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			p.t.Fatal(err)
		}
		sum += v
	}
	if !known && len(labels) == 0 {
		p.t.Fatalf("there is no metric %s", name)
	}
	return sum
}

// taken is how many messages the carrier and the push service have on their
// books.
func (p *province) taken() int {
	p.t.Helper()
	n := 0
	for _, kind := range []string{"sms", "push"} {
		src, err := os.ReadFile(filepath.Join(p.dir, kind+".books"))
		if err != nil {
			p.t.Fatal(err)
		}
		n += bytes.Count(src, []byte{'\n'}) - bytes.Count(src, []byte(`{"taken":false,`))
	}
	return n
}

func (p *province) waitTaken(n int) {
	p.t.Helper()
	p.eventually(time.Minute, "messages to be taken", func() (bool, string) {
		taken := p.taken()
		return taken >= n, fmt.Sprintf("%d of %d", taken, n)
	})
}

// acknowledged reports whether the gateway has every acknowledgement the apps
// sent.
func (p *province) acknowledged() bool {
	n := 0
	for e := range p.crowd.Books() {
		if !e.Stored {
			return false
		}
		n++
	}
	return n == p.apps()
}

// books counts, by address, the messages that were taken and not reported as
// undeliverable.
func (p *province) books() map[string]int {
	p.t.Helper()
	copies := map[string]int{}
	entries, err := carrier.ReadBooks(filepath.Join(p.dir, "sms.books"))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Status == "delivered" {
			copies[e.To]++
		}
	}
	var browsers, apps []string
	for _, r := range p.people {
		switch r.kind {
		case channels.WebPush:
			browsers = append(browsers, r.address)
		case channels.App:
			apps = append(apps, r.address)
		default:
		}
	}
	src, err := os.ReadFile(filepath.Join(p.dir, "push.books"))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range bytes.Lines(src) {
		var e struct {
			Subscription *int  `json:"subscription"`
			Taken        *bool `json:"taken"`
		}
		err := json.Unmarshal(line, &e)
		if err == nil && e.Taken != nil && !*e.Taken {
			continue
		}
		if err != nil || e.Subscription == nil {
			p.t.Fatalf("the push books have a line that is none: %s", line)
		}
		copies[browsers[*e.Subscription]]++
	}
	for e := range p.crowd.Books() {
		copies[apps[e.Install]] += e.Copies
	}
	return copies
}
