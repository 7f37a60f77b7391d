package config

import (
	"strings"
	"testing"
	"time"

	"loa/channels"
)

const watchful = `watch:
  canaries:
    - {channel: sms, to: "+84912345678"}
    - {channel: webpush, to: "{}", every: 10m, proof: delivered}
    - {channel: app}
  duty:
    - {channel: sms, to: "+84912345679"}
  webhooks:
    - {url: "https://am.example.vn/hook/hunter2", token: hunter2}
  heartbeat: {url: "https://hc.example.vn/hunter2", method: GET, every: 20s}
`

func TestWatch(t *testing.T) {
	t.Parallel()
	c, err := Load(write(t, good+watchful))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		every time.Duration
		proof channels.Outcome
	}{{time.Hour, channels.Delivered}, {10 * time.Minute, channels.Delivered}, {5 * time.Minute, channels.Accepted}} {
		if x := c.Watch.Canaries[i]; x.Period() != want.every || x.Proven() != want.proof {
			t.Errorf("%s: every %s until %s", x.Channel, x.Period(), x.Proven())
		}
	}
}

func TestWatchRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, want string }{
		"no such channel":      {"channel: webpush", "channel: fax", "watch.canaries[1].channel"},
		"a channel twice":      {"channel: webpush", "channel: sms", "watch.canaries[1].channel"},
		"no address":           {`channel: sms, to: "+84912345678"`, "channel: sms", "watch.canaries[0].to"},
		"too often":            {"every: 10m", "every: 10s", "watch.canaries[1].every"},
		"no such proof":        {"proof: delivered", "proof: hope", "watch.canaries[1].proof"},
		"duty on the app":      {`{channel: sms, to: "+84912345679"}`, "{channel: app}", "watch.duty[0].channel"},
		"duty without address": {`{channel: sms, to: "+84912345679"}`, "{channel: sms}", "watch.duty[0].to"},
		"webhook on http":      {"https://am.", "http://am.", "watch.webhooks[0].url"},
		"webhook on this host": {"https://am.example.vn", "http://127.0.0.1:9093", "watch.webhooks[0].url"},
		"webhook by a path":    {"https://am.example.vn", "", "watch.webhooks[0].url"},
		"heartbeat on http":    {"https://hc.", "http://hc.", "watch.heartbeat.url"},
		"heartbeat by DELETE":  {"method: GET", "method: DELETE", "watch.heartbeat.method"},
		"heartbeat too often":  {"every: 20s", "every: 1s", "watch.heartbeat.every"},
		"origin in live":       {"  duty:", "  origin: http://127.0.0.1:9093\n  duty:", "watch.origin"},
		"unknown key":          {"  duty:", "  pagers: []\n  duty:", "pagers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(good+watchful, c.old, c.new, 1)
			if text == good+watchful {
				t.Fatal("the case changes nothing")
			}
			_, err := Load(write(t, text))
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "+84") {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

// TestWatchOfADrill: http is admitted at the origin and nowhere else.
func TestWatchOfADrill(t *testing.T) {
	t.Parallel()
	drill := strings.Replace(good, "deployment: live", "deployment: drill", 1)
	for url, ok := range map[string]bool{
		"http://127.0.0.1:9093/hook": true, "http://127.0.0.1:9094/hook": false, "http://localhost:9093/hook": false, "https://am.example.vn/": true,
		"http://127.0.0.1:9093@example.vn/": false,
	} {
		_, err := Load(write(t, drill+"watch:\n  origin: http://127.0.0.1:9093\n  webhooks: [{url: \""+url+"\"}]\n"))
		if (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
}
