package delivery

import (
	"github.com/prometheus/client_golang/prometheus"

	"loa/channels"
)

// begin makes a lane's series before anything has happened: a counter that
// begins at one is no increase to whoever asks for one.
func (m *metrics) begin(l *lane) {
	kind := string(l.Kind)
	for _, c := range []*prometheus.CounterVec{m.poison, m.crashed, m.lost} {
		c.WithLabelValues(kind)
	}
	for _, g := range []*prometheus.GaugeVec{m.inflight, m.backlog} {
		g.WithLabelValues(kind)
	}
	for _, s := range []channels.Status{channels.StatusUnset, channels.Exercise, channels.Test} {
		m.refused.WithLabelValues(kind, s.String())
	}
	for _, o := range []channels.Outcome{channels.Accepted, channels.Delivered, channels.Confirmed, channels.Failed} {
		m.receipts.WithLabelValues(kind, o.String())
	}
	for _, b := range bounceNames[1:] {
		m.bounced.WithLabelValues(kind, b)
	}
	for _, p := range l.providers {
		m.panics.WithLabelValues(kind, p.name)
		m.textStops.WithLabelValues(kind, p.name)
		m.breaker.WithLabelValues(kind, p.name)
	}
	for _, source := range []string{"cut", "due", "rebuild", "returned"} {
		m.hinted.WithLabelValues(source)
	}
	for _, call := range []string{"addresses", "advance", "claim", "dead", "due", "queue", "receive"} {
		m.failures.WithLabelValues(call)
	}
}
