package watch

import (
	"context"
	"fmt"
	"syscall"
)

// leastFree is the part of a disk that must be free.
const leastFree = 0.05

// Free is the part of the folder's disk that is free to us, 0 … 1.
func Free(folder string) (float64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return 0, fmt.Errorf("watch: disk of the data folder: %w", err)
	}
	if s.Blocks == 0 {
		return 1, nil
	}
	return float64(s.Bavail) / float64(s.Blocks), nil
}

// DiskProbe looks at the space on a disk; free is as Free for its folder.
func DiskProbe(free func() (float64, error)) Probe {
	return func(context.Context) []Part {
		f, err := free()
		switch {
		case err != nil:
			return []Part{Fault("disk", DiskFull, "The disk of the data folder cannot be asked for its space.")}
		case f < leastFree:
			return []Part{Fault("disk", DiskFull, fmt.Sprintf("Only %.1f %% of the disk of the data folder is free.", 100*f))}
		default:
			return []Part{Fine("disk")}
		}
	}
}
