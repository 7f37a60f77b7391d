package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"loa/channels"
)

// The statuses of a notification.
const (
	firing   = "firing"
	resolved = "resolved"
)

// Notification is the body of a webhook call, in Alertmanager's format,
// version 4: what receives Alertmanager's calls receives ours.
type Notification struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   int               `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []NotifiedAlert   `json:"alerts"`
}

// NotifiedAlert is one part in trouble. EndsAt is the zero time while it fires.
type NotifiedAlert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

// notification writes a page. Instance and deployment are labels, so that
// several gateways can share a receiver.
func notification(p Page, instance, deployment, external string) Notification {
	status := firing
	var ends time.Time
	if p.Resolved {
		status, ends = resolved, p.At.UTC()
	}
	name := p.Cause.AlertName()
	common := map[string]string{
		"alertname": name, "cause": string(p.Cause), "severity": p.Cause.severity(), "instance": instance, "deployment": deployment, "job": "loa",
	}
	n := Notification{
		Version: "4", GroupKey: fmt.Sprintf("{}:{alertname=%q, instance=%q}", name, instance), Status: status, Receiver: "loa",
		GroupLabels: map[string]string{"alertname": name, "instance": instance}, CommonLabels: common,
		CommonAnnotations: map[string]string{"summary": catalogue[p.Cause].en, "remedy": p.Cause.Remedy()}, ExternalURL: external,
	}
	for _, x := range p.Parts {
		labels, annotations := maps.Clone(common), maps.Clone(n.CommonAnnotations)
		labels["part"], annotations["description"] = x.Part, x.Text
		n.Alerts = append(n.Alerts, NotifiedAlert{
			Status: status, Labels: labels, Annotations: annotations, StartsAt: x.Since.UTC(), EndsAt: ends, GeneratorURL: external, Fingerprint: fingerprint(labels),
		})
	}
	return n
}

// fingerprint names a set of labels, the same for as long as they are.
func fingerprint(labels map[string]string) string {
	h := fnv.New64a()
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		_, _ = h.Write([]byte(k + "\xff" + labels[k] + "\xff"))
	}
	s := strconv.FormatUint(h.Sum64(), 16)
	return "0000000000000000"[len(s):] + s
}

// Webhook is where notifications go.
type Webhook struct {
	URL   channels.Secret
	Token channels.Secret // of an Authorization: Bearer header; may be empty
}

// Back-off of a failing webhook.
const (
	firstRetry = time.Second
	maxRetry   = time.Minute
	maxBody    = 64 << 10
)

// hook delivers to one webhook, the oldest first. Of a cause only the newest
// notification waits: an old one would say what is no longer so.
type hook struct {
	name   string
	to     Webhook
	client *http.Client
	log    *slog.Logger
	m      *metrics

	mu      sync.Mutex
	waiting []*Notification
	failing time.Time // since when; zero: the last call was taken
	why     string
	ring    chan struct{}
}

func (h *hook) push(n Notification) {
	h.mu.Lock()
	h.waiting = slices.DeleteFunc(h.waiting, func(old *Notification) bool { return old.GroupKey == n.GroupKey })
	h.waiting = append(h.waiting, &n)
	h.mu.Unlock()
	select {
	case h.ring <- struct{}{}:
	default:
	}
}

// next is the notification to deliver, nil if none waits.
func (h *hook) next() *Notification {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		return nil
	}
	return h.waiting[0]
}

// done forgets a delivered notification, unless a newer one has replaced it.
func (h *hook) done(n *Notification) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = slices.DeleteFunc(h.waiting, func(old *Notification) bool { return old == n })
}

func (h *hook) run(ctx context.Context, now func() time.Time) {
	for wait := firstRetry; ; {
		n := h.next()
		if n == nil {
			select {
			case <-ctx.Done():
				return
			case <-h.ring:
			}
			continue
		}
		err := h.call(ctx, n)
		if ctx.Err() != nil {
			return
		}
		h.told(ctx, err, now())
		if err == nil {
			h.done(n)
			wait = firstRetry
			continue
		}
		t := time.NewTimer(jitter(wait))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		wait = min(2*wait, maxRetry)
	}
}

// told remembers how a call went.
func (h *hook) told(ctx context.Context, err error, now time.Time) {
	result := "sent"
	if err != nil {
		result = "failed"
		h.log.WarnContext(ctx, "a page cannot be handed to a webhook and will be tried again", "webhook", h.name, "err", err)
	}
	h.m.webhooks.WithLabelValues(result).Inc()
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		h.failing, h.why = time.Time{}, ""
	case h.failing.IsZero():
		h.failing = now
		fallthrough
	default:
		h.why = err.Error()
	}
}

func (h *hook) part() Part {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failing.IsZero() {
		return Fine(h.name)
	}
	return Part{
		Part: h.name, State: Bad, Since: h.failing, Text: "Pages do not get through to the webhook: " + h.why + ".",
		Remedy: "Bring the receiver back or correct its URL and token; what waits is sent when it answers.",
	}
}

func (h *hook) call(ctx context.Context, n *Notification) error {
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("watch: notification: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.to.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return errors.New("the URL cannot be called")
	}
	req.Header.Set("Content-Type", "application/json")
	if h.to.Token != "" {
		req.Header.Set("Authorization", "Bearer "+h.to.Token.Reveal())
	}
	return do(h.client, req)
}

// do makes a call; anything but 2xx is an error, which does not hold the URL.
func do(c *http.Client, req *http.Request) error {
	req.Header.Set("User-Agent", "loa")
	res, err := c.Do(req)
	if err != nil {
		return callError(err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxBody))
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("it answers %d", res.StatusCode)
	}
	return nil
}
