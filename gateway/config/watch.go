package config

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"loa/channels"
)

// Watch is how the gateway watches itself. Absent, it pages nobody, sends no
// test messages and gives no sign of life.
type Watch struct {
	Canaries  []Canary  `yaml:"canaries"`
	Duty      []Contact `yaml:"duty"` // who is paged, on SMS and web push
	Webhooks  []Webhook `yaml:"webhooks"`
	Heartbeat Heartbeat `yaml:"heartbeat"`
	// Origin is the one http or loopback place that webhooks and heartbeat may
	// go to in drill and demo.
	Origin string `yaml:"origin"`
}

// Canary is a recipient whom a test message goes to again and again.
type Canary struct {
	Channel channels.Kind   `yaml:"channel"` // sms, webpush, app; each once
	To      channels.Secret `yaml:"to"`      // its address, as in a subscriber file; of app: may be empty
	Every   time.Duration   `yaml:"every"`   // 0: SMS one hour, others five minutes; at least two minutes
	Proof   string          `yaml:"proof"`   // accepted, delivered; empty: delivered for SMS, accepted for others
}

// Contact is a person on duty.
type Contact struct {
	Channel channels.Kind   `yaml:"channel"` // sms, webpush
	To      channels.Secret `yaml:"to"`
}

// Webhook takes pages in Alertmanager's webhook format, version 4.
type Webhook struct {
	URL   channels.Secret `yaml:"url"`
	Token channels.Secret `yaml:"token"` // sent as Authorization: Bearer; may be empty
}

// Heartbeat is the sign of life that a dead man's switch elsewhere waits for.
type Heartbeat struct {
	URL    channels.Secret `yaml:"url"`    // empty: none
	Method string          `yaml:"method"` // GET, POST; empty: POST
	Every  time.Duration   `yaml:"every"`  // 0: 30 s; at least 5 s
}

// Period is how often the test message goes out.
func (c Canary) Period() time.Duration {
	switch {
	case c.Every > 0:
		return c.Every
	case c.Channel == channels.SMS:
		return time.Hour
	default:
		return 5 * time.Minute
	}
}

// Proven is what shows that the test message has arrived.
func (c Canary) Proven() channels.Outcome {
	if c.Proof == channels.Delivered.String() || c.Proof == "" && c.Channel == channels.SMS {
		return channels.Delivered
	}
	return channels.Accepted
}

const (
	leastRound = 2 * time.Minute
	leastBeat  = 5 * time.Second
	maxDuty    = 50
)

func (v *validation) watch(c *Config) {
	w := c.Watch
	if w.Origin != "" {
		v.origin(c, "watch.origin", w.Origin)
	}
	var seen []channels.Kind
	for i, x := range w.Canaries {
		key := fmt.Sprintf("watch.canaries[%d]", i)
		if !slices.Contains([]channels.Kind{channels.SMS, channels.WebPush, channels.App}, x.Channel) || slices.Contains(seen, x.Channel) {
			v.fault(key+".channel", "one of sms, webpush, app is required, and each once")
		}
		seen = append(seen, x.Channel)
		if x.To == "" && x.Channel != channels.App {
			v.fault(key+".to", "is required")
		}
		if x.Every != 0 && x.Every < leastRound {
			v.fault(key+".every", "at least %s", leastRound)
		}
		if !slices.Contains([]string{"", channels.Accepted.String(), channels.Delivered.String()}, x.Proof) {
			v.fault(key+".proof", "accepted or delivered")
		}
	}
	if len(w.Duty) > maxDuty {
		v.fault("watch.duty", "at most %d", maxDuty)
	}
	for i, x := range w.Duty {
		key := fmt.Sprintf("watch.duty[%d]", i)
		if x.Channel != channels.SMS && x.Channel != channels.WebPush {
			v.fault(key+".channel", "sms or webpush is required: whoever listens to the app would hear it")
		}
		if x.To == "" {
			v.fault(key+".to", "is required")
		}
	}
	for i, x := range w.Webhooks {
		v.outward(fmt.Sprintf("watch.webhooks[%d].url", i), x.URL, w.Origin)
	}
	v.heartbeat(w)
}

func (v *validation) heartbeat(w Watch) {
	h := w.Heartbeat
	if h.URL != "" {
		v.outward("watch.heartbeat.url", h.URL, w.Origin)
	}
	if !slices.Contains([]string{"", http.MethodGet, http.MethodPost}, h.Method) {
		v.fault("watch.heartbeat.method", "GET or POST")
	}
	if h.Every != 0 && h.Every < leastBeat {
		v.fault("watch.heartbeat.every", "at least %s", leastBeat)
	}
}

// outward admits a URL that is called from here: https, or http at the origin,
// which a live deployment does not have. The fault quotes nothing of the URL,
// which may be a secret.
func (v *validation) outward(key string, raw channels.Secret, origin string) {
	u, err := url.Parse(raw.Reveal())
	switch {
	case err != nil || u.Host == "" || u.Fragment != "":
		v.fault(key, "an absolute URL is required")
	case u.Scheme == "https" || u.Scheme == "http" && origin != "" && u.Scheme+"://"+u.Host == origin:
	default:
		v.fault(key, "https is required; http is admitted at watch.origin of a drill or demo only")
	}
}
