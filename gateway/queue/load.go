package queue

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Load is what the server has used so far.
type Load struct {
	Memory int64         // bytes in use now, as Redis counts them
	CPU    time.Duration // of the server since its start
}

// Load asks the server how much it uses.
func (q *Queue) Load(ctx context.Context) (Load, error) {
	var l Load
	memory, err := q.cmd.Info(ctx, "memory").Result()
	if err != nil {
		return l, fmt.Errorf("queue: INFO memory: %w", err)
	}
	cpu, err := q.cmd.Info(ctx, "cpu").Result()
	if err != nil {
		return l, fmt.Errorf("queue: INFO cpu: %w", err)
	}
	used, _ := infoField(memory, "used_memory")
	if l.Memory, err = strconv.ParseInt(used, 10, 64); err != nil {
		return l, fmt.Errorf("queue: INFO memory: used_memory: %w", err)
	}
	for _, field := range []string{"used_cpu_sys", "used_cpu_user"} {
		text, _ := infoField(cpu, field)
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return l, fmt.Errorf("queue: INFO cpu: %s: %w", field, err)
		}
		l.CPU += time.Duration(seconds * float64(time.Second))
	}
	return l, nil
}
