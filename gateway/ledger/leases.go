package ledger

import "loa/gateway/delivery"

// knownBatches bounds what the writer remembers; one is about 1.5 KB.
const knownBatches = 2048

// leases is what the one writer of SQLite knows of the batches it has lately
// written, so that an advance reads nothing. What a failed deed or group has
// touched is forgotten.
type leases struct {
	all     map[delivery.BatchID]*progress
	touched []delivery.BatchID // by the running group, in order
}

func newLeases() *leases { return &leases{all: make(map[delivery.BatchID]*progress)} }

func (s *leases) begin() {
	s.touched = s.touched[:0]
	if len(s.all) > knownBatches {
		clear(s.all)
	}
}

func (s *leases) mark() int { return len(s.touched) }

// forget drops what was touched since the mark.
func (s *leases) forget(mark int) {
	for _, id := range s.touched[mark:] {
		delete(s.all, id)
	}
	s.touched = s.touched[:mark]
}

func (s *leases) get(id delivery.BatchID) *progress {
	if s == nil {
		return nil
	}
	s.touched = append(s.touched, id)
	return s.all[id]
}

func (s *leases) put(p *progress) {
	if s != nil {
		s.touched = append(s.touched, p.batch)
		s.all[p.batch] = p
	}
}

// drop forgets a batch that was written to behind the back of its progress.
func (s *leases) drop(id delivery.BatchID) {
	if s != nil {
		delete(s.all, id)
	}
}

// dropAll forgets everything.
func (s *leases) dropAll() {
	if s != nil {
		clear(s.all)
	}
}
