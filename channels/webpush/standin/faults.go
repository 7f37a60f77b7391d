package standin

import (
	"encoding/binary"
	"net/http"
	"time"
)

// Shares are the parts of all subscriptions, 0 to 1 each, that do not simply
// take a message. Which ones they are follows from the seed.
type Shares struct {
	Gone        float64 `json:"gone"`        // 410 for ever
	Missing     float64 `json:"missing"`     // 404 for ever
	TooLarge    float64 `json:"too_large"`   // 413 for ever
	Forbidden   float64 `json:"forbidden"`   // 403 for ever
	Throttled   float64 `json:"throttled"`   // 429 with Retry-After the first time
	Unavailable float64 `json:"unavailable"` // 503 the first time
}

// Fate tells the status that the shares give to a subscription: 201, or the
// failure that its first push meets.
func (s *Service) Fate(index int) int {
	sh := s.opts.Shares
	at := float64(binary.BigEndian.Uint32(s.derive("fate", index, 0))) / (1 << 32)
	for _, c := range []struct {
		part   float64
		status int
	}{
		{sh.Gone, http.StatusGone},
		{sh.Missing, http.StatusNotFound},
		{sh.TooLarge, http.StatusRequestEntityTooLarge},
		{sh.Forbidden, http.StatusForbidden},
		{sh.Throttled, http.StatusTooManyRequests},
		{sh.Unavailable, http.StatusServiceUnavailable},
	} {
		if at < c.part {
			return c.status
		}
		at -= c.part
	}
	return http.StatusCreated
}

// Faults are switches over all subscriptions. The zero value is a healthy
// service.
type Faults struct {
	Status     int           `json:"status"`      // answer this to every push
	RetryAfter string        `json:"retry_after"` // sent with Status as it stands
	Accept     bool          `json:"accept"`      // take the message first, then answer Status all the same
	Cut        bool          `json:"cut"`         // take the message, then close the connection without an answer
	Delay      time.Duration `json:"delay"`       // wait before answering; nanoseconds in JSON
	Times      int           `json:"times"`       // healthy again after so many pushes; 0 means until changed
}

// told is the status that the sender of a message that was taken learns.
func (f Faults) told() int {
	switch {
	case f.Cut:
		return 0
	case f.Accept && f.Status != 0:
		return f.Status
	default:
		return http.StatusCreated
	}
}

// SetFaults replaces the switches.
func (s *Service) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// takeFault gives the switches for one push and counts it.
func (s *Service) takeFault() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.faults
	if s.faults.Times > 0 {
		if s.faults.Times--; s.faults.Times == 0 {
			s.faults = Faults{}
		}
	}
	return f
}

// fail refuses by switch or by share, before the message is taken.
func (s *Service) fail(d *device, index int, f Faults) error {
	if f.Status != 0 && !f.Accept {
		return &refusal{status: f.Status, retryAfter: f.RetryAfter, reason: "switched off"}
	}
	status := s.Fate(index)
	switch status {
	case http.StatusCreated:
		return nil
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.turned {
			return nil
		}
		d.turned = true
		return &refusal{status: status, retryAfter: "1", reason: "later"}
	}
	return &refusal{status: status, reason: http.StatusText(status)}
}
