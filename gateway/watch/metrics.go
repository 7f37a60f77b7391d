package watch

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"loa/channels"
)

type metrics struct {
	faults   *prometheus.GaugeVec
	rounds   *prometheus.CounterVec
	arrived  *prometheus.GaugeVec
	took     *prometheus.GaugeVec
	pages    *prometheus.CounterVec
	webhooks *prometheus.CounterVec
	beats    *prometheus.CounterVec
	beat     prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return f.NewGaugeVec(prometheus.GaugeOpts{Namespace: "loa", Subsystem: "watch", Name: name, Help: help}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Namespace: "loa", Subsystem: "watch", Name: name, Help: help}, labels)
	}
	m := &metrics{
		faults:   gauge("faults", "Parts that are bad, by cause.", "cause"),
		rounds:   counter("canary_rounds_total", "Rounds of canaries, by what came of them.", "channel", "result"),
		arrived:  gauge("canary_arrived_timestamp_seconds", "When the last test message was proven to have arrived; before the first, when the gateway was started.", "channel"),
		took:     gauge("canary_last_seconds", "How long the last test message took, or was waited for.", "channel"),
		pages:    counter("pages_total", "Pages decided on, by cause.", "cause", "status"),
		webhooks: counter("webhook_requests_total", "Calls of webhooks, by what came of them.", "result"),
		beats:    counter("heartbeats_total", "Heartbeats, by what came of them.", "result"),
		beat: f.NewGauge(prometheus.GaugeOpts{
			Namespace: "loa", Subsystem: "watch", Name: "heartbeat_timestamp_seconds", Help: "When the last heartbeat was taken; 0: none was.",
		}),
	}
	for c := range catalogue {
		m.faults.WithLabelValues(string(c)).Set(0)
		m.pages.WithLabelValues(string(c), firing).Add(0)
	}
	for _, r := range []string{"sent", "failed"} {
		m.webhooks.WithLabelValues(r).Add(0)
		m.beats.WithLabelValues(r).Add(0)
	}
	m.beats.WithLabelValues("withheld").Add(0)
	return m
}

// watched makes the series of a canary before its first round.
func (m *metrics) watched(k channels.Kind, now time.Time) {
	for _, r := range []string{"arrived", "lost"} {
		m.rounds.WithLabelValues(string(k), r).Add(0)
	}
	m.arrived.WithLabelValues(string(k)).Set(float64(now.Unix()))
	m.took.WithLabelValues(string(k)).Set(0)
}

func (m *metrics) canary(k channels.Kind, result string, now time.Time, took time.Duration) {
	m.rounds.WithLabelValues(string(k), result).Inc()
	m.took.WithLabelValues(string(k)).Set(took.Seconds())
	if result == "arrived" {
		m.arrived.WithLabelValues(string(k)).Set(float64(now.Unix()))
	}
}

func (m *metrics) looked(parts []Part) {
	n := make(map[Cause]int)
	for _, p := range parts {
		if p.State == Bad && p.Cause != "" {
			n[p.Cause]++
		}
	}
	for c := range catalogue {
		m.faults.WithLabelValues(string(c)).Set(float64(n[c]))
	}
}
