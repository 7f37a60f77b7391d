package app

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are what the hub has done since it was opened.
type counts struct {
	messages    atomic.Int64 // written to a listener's connection
	slow        atomic.Int64 // listeners closed because their queue was full
	resyncs     atomic.Int64 // listeners that were told what is in force
	acksStored  atomic.Int64
	acksDropped atomic.Int64 // not handed over, for the clients to repeat
}

var (
	connectionsDesc = prometheus.NewDesc("loa_app_connections", "Listeners connected now.", nil, nil)
	messagesDesc    = prometheus.NewDesc("loa_app_messages_total", "Messages written to listeners.", nil, nil)
	slowDesc        = prometheus.NewDesc("loa_app_slow_total", "Listeners closed because they read too slowly.", nil, nil)
	resyncsDesc     = prometheus.NewDesc("loa_app_resyncs_total", "Listeners told, as they came, what is in force.", nil, nil)
	acksDesc        = prometheus.NewDesc("loa_app_acks_total", "Signed acknowledgements, by result: stored, or dropped for the client to repeat.", []string{"result"}, nil)
)

// Describe lists the hub's metrics.
func (h *Hub) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{connectionsDesc, messagesDesc, slowDesc, resyncsDesc, acksDesc} {
		to <- d
	}
}

// Collect tells how the hub is doing.
func (h *Hub) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(connectionsDesc, prometheus.GaugeValue, float64(h.Connections()))
	counter := func(d *prometheus.Desc, n *atomic.Int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n.Load()), labels...)
	}
	counter(messagesDesc, &h.did.messages)
	counter(slowDesc, &h.did.slow)
	counter(resyncsDesc, &h.did.resyncs)
	counter(acksDesc, &h.did.acksStored, "stored")
	counter(acksDesc, &h.did.acksDropped, "dropped")
}

// Connections is how many listeners are connected.
func (h *Hub) Connections() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.conns)
}

var _ prometheus.Collector = (*Hub)(nil)
