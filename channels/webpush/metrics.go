package webpush

import (
	"net"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are what the sender has done since it was opened.
type counts struct {
	connections atomic.Int64 // open now
	mu          sync.Mutex
	answers     map[string]int64
}

var (
	connectionsDesc = prometheus.NewDesc("loa_webpush_connections", "Connections to push services open now.", nil, nil)
	answersDesc     = prometheus.NewDesc("loa_webpush_answers_total", "Messages posted, by the push service's answer: an HTTP status, other, or none.", []string{"status"}, nil)
)

// known are the answers that classify names; the label takes no other value
// from outside.
var known = map[int]string{
	201: "201", 202: "202", 400: "400", 401: "401", 403: "403", 404: "404", 410: "410", 413: "413",
	429: "429", 500: "500", 502: "502", 503: "503", 504: "504",
}

// answered counts a call by what it came to.
func (c *counts) answered(status int) {
	label, ok := known[status]
	switch {
	case ok:
	case status == 0:
		label = "none"
	default:
		label = "other"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		c.answers = map[string]int64{}
	}
	c.answers[label]++
}

// counted is a connection that is counted until it is closed.
type counted struct {
	net.Conn
	did  *counts
	once sync.Once
}

// Close closes the connection.
func (c *counted) Close() error {
	c.once.Do(func() { c.did.connections.Add(-1) })
	return c.Conn.Close()
}

// Describe lists the sender's metrics.
func (s *Sender) Describe(to chan<- *prometheus.Desc) {
	to <- connectionsDesc
	to <- answersDesc
}

// Collect tells how the sender is doing.
func (s *Sender) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(connectionsDesc, prometheus.GaugeValue, float64(s.did.connections.Load()))
	s.did.mu.Lock()
	defer s.did.mu.Unlock()
	for status, n := range s.did.answers {
		to <- prometheus.MustNewConstMetric(answersDesc, prometheus.CounterValue, float64(n), status)
	}
}

var _ prometheus.Collector = (*Sender)(nil)
