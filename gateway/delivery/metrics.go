package delivery

import (
	"github.com/prometheus/client_golang/prometheus"

	"loa/channels"
)

// Results of one recipient's send, the values of the label "outcome".
const (
	resAccepted = iota
	resDelivered
	resFault // plus the fault
)

type metrics struct {
	sends     *prometheus.CounterVec
	receipts  *prometheus.CounterVec
	unknown   prometheus.Counter
	refused   *prometheus.CounterVec
	panics    *prometheus.CounterVec
	poison    *prometheus.CounterVec
	crashed   *prometheus.CounterVec
	lookups   *prometheus.CounterVec
	textStops *prometheus.CounterVec
	lost      *prometheus.CounterVec
	bounced   *prometheus.CounterVec
	hinted    *prometheus.CounterVec
	failures  *prometheus.CounterVec
	inflight  *prometheus.GaugeVec
	backlog   *prometheus.GaugeVec
	breaker   *prometheus.GaugeVec
	direct    prometheus.Gauge
	claim     *prometheus.HistogramVec
	advance   *prometheus.HistogramVec
	window    *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "loa", Subsystem: "delivery", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "loa", Subsystem: "delivery", Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "loa", Subsystem: "delivery", Name: name, Help: help, Buckets: buckets}, []string{"kind"})
	}
	seconds := prometheus.ExponentialBuckets(0.0005, 2, 15)
	m := &metrics{
		sends:     counter("sends_total", "Recipients sent to, by what came of it.", "kind", "provider", "outcome"),
		receipts:  counter("receipts_total", "Receipts merged, by outcome.", "kind", "outcome"),
		unknown:   prometheus.NewCounter(prometheus.CounterOpts{Namespace: "loa", Subsystem: "delivery", Name: "receipts_unknown_total", Help: "Receipts that refer to nothing of ours."}),
		refused:   counter("refused_total", "Batches refused by the status guard.", "kind", "reason"),
		panics:    counter("panics_total", "Panics recovered in a driver.", "kind", "provider"),
		poison:    counter("poison_total", "Recipients set aside because what is done for them crashes.", "kind"),
		crashed:   counter("crashed_claims_total", "Batches claimed whose last holder was gone before it settled anything.", "kind"),
		lookups:   counter("lookups_total", "Doubts about which a provider was asked, by what it said.", "kind", "result"),
		textStops: counter("text_stops_total", "Texts stopped on a provider that keeps refusing them.", "kind", "provider"),
		lost:      counter("leases_lost_total", "Leases taken over while held.", "kind"),
		bounced:   counter("bounced_total", "Marked sends that were not started after all.", "kind", "reason"),
		hinted:    counter("hints_total", "Hints pushed, by who found them.", "source"),
		failures:  counter("failures_total", "Calls to ledger, addresses or queue that failed.", "call"),
		inflight:  gauge("in_flight", "Calls to providers that are open.", "kind"),
		backlog:   gauge("backlog_batches", "Batches of live alerts that are not done.", "kind"),
		breaker:   gauge("breaker_open", "1 while the provider counts as down.", "kind", "provider"),
		direct:    prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "loa", Subsystem: "delivery", Name: "direct_mode", Help: "1 while workers claim straight from the ledger."}),
		claim:     histogram("claim_seconds", "Time of a claim.", seconds),
		advance:   histogram("advance_seconds", "Time of an advance.", seconds),
		window:    histogram("advance_recipients", "Recipients settled by one advance.", prometheus.ExponentialBuckets(1, 2, 11)),
	}
	for _, c := range []prometheus.Collector{
		m.sends, m.receipts, m.unknown, m.refused, m.panics, m.lost, m.bounced, m.hinted, m.failures,
		m.poison, m.crashed, m.lookups, m.textStops, m.inflight, m.backlog, m.breaker, m.direct, m.claim, m.advance, m.window,
	} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// sendCounters are one provider's children of sends, found once.
type sendCounters [resFault + 6]prometheus.Counter

func (m *metrics) sendsOf(kind channels.Kind, name string) *sendCounters {
	var s sendCounters
	s[resAccepted] = m.sends.WithLabelValues(string(kind), name, channels.Accepted.String())
	s[resDelivered] = m.sends.WithLabelValues(string(kind), name, channels.Delivered.String())
	for _, f := range channels.AllFaults() {
		s[resFault+int(f)] = m.sends.WithLabelValues(string(kind), name, f.String())
	}
	return &s
}
