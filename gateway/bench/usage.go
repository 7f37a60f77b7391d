package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"loa/gateway/queue"
)

// meter counts what a run uses between startMeter and end.
type meter struct {
	watch *queue.Queue
	base  queue.Load
	peak  int64 // of Redis' memory
	cpu   time.Duration
	busy  time.Duration
	began time.Time
}

func startMeter(ctx context.Context, watch *queue.Queue) (*meter, error) {
	base, err := watch.Load(ctx)
	if err != nil {
		return nil, err
	}
	return &meter{watch: watch, base: base, peak: base.Memory, cpu: ownCPU(), busy: machineCPU(), began: time.Now()}, nil
}

// sample looks how much memory Redis uses now.
func (m *meter) sample(ctx context.Context) {
	if l, err := m.watch.Load(ctx); err == nil {
		m.peak = max(m.peak, l.Memory)
	}
}

func (m *meter) end(ctx context.Context, into *Fan) error {
	cpu, busy, took := ownCPU()-m.cpu, machineCPU()-m.busy, time.Since(m.began)
	last, err := m.watch.Load(ctx)
	if err != nil {
		return err
	}
	redis := last.CPU - m.base.CPU
	n := float64(into.Recipients)
	into.CPUMicros = cpu.Seconds() * 1e6 / n
	into.RedisMicros = redis.Seconds() * 1e6 / n
	into.RedisBytes = float64(m.peak-m.base.Memory) / n
	into.ForeignCores = max(0, (busy-cpu-redis).Seconds()/took.Seconds())
	into.PeakRSS = peakRSS()
	return nil
}

// ownCPU is the user and system time of this process.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// machineCPU is the time all cores were busy since the start of the machine; 0
// if the system does not say.
func machineCPU() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var ticks int64
	for i, f := range strings.Fields(line)[1:] {
		if i == 3 || i == 4 || i > 7 { // idle, waiting for a disk, guests
			continue
		}
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// resetPeak makes peakRSS forget what was before, where the system allows it.
func resetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600) }

// peakRSS is the most memory the process had in RAM, in bytes.
func peakRSS() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
				return kb << 10
			}
		}
	}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Maxrss << 10
}

// ledgerBytes is how much of a closed ledger's file holds something: its pages
// without the free ones, by the database's header
// (https://www.sqlite.org/fileformat2.html, section 1.3).
func ledgerBytes(dir string) (int64, error) {
	f, err := os.Open(filepath.Join(dir, "loa.db")) //nolint:gosec // the run's own folder
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	if _, err := os.Stat(f.Name() + "-wal"); err == nil {
		return 0, errors.New("the ledger was not closed: its log is still there")
	}
	var h [100]byte
	if _, err := io.ReadFull(f, h[:]); err != nil {
		return 0, err
	}
	size := int64(binary.BigEndian.Uint16(h[16:]))
	if size == 1 {
		size = 65536
	}
	pages, free := int64(binary.BigEndian.Uint32(h[28:])), int64(binary.BigEndian.Uint32(h[36:]))
	return size * (pages - free), nil
}
