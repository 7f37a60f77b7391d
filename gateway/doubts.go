package gateway

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"loa/channels"
	"loa/gateway/ledger"
)

// tellDoubts says, at the start, how many recipients an earlier process has
// left marked as sending: nobody knows whether their message was taken.
func (g *Gateway) tellDoubts(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	all, err := g.ledger.Doubts(ctx)
	if err != nil {
		g.log.ErrorContext(ctx, "recipients left in doubt cannot be counted", "err", err)
		return
	}
	left := inDoubt(all, nodeName(), alive)
	for _, k := range channels.AllKinds() {
		if n := left[k]; n > 0 {
			g.log.WarnContext(ctx, "an earlier process ended while it was sending; these recipients are in doubt", "channel", string(k), "recipients", n)
		}
	}
}

// inDoubt adds up whose sender is gone: its lease is over, or it was an earlier
// process of this machine. A holder is named "host/process/…" as nodeName is.
func inDoubt(all []ledger.Doubt, node string, alive func(pid int) bool) map[channels.Kind]int {
	left := map[channels.Kind]int{}
	host, own, _ := strings.Cut(node, "/")
	for _, d := range all {
		parts := strings.Split(d.Holder, "/")
		if d.Held && (parts[0] != host || len(parts) < 2) {
			continue // another machine, which may be sending still
		}
		if pid, err := strconv.Atoi(second(parts)); d.Held && parts[1] != own && err == nil && alive(pid) {
			continue
		}
		left[d.Kind] += d.N
	}
	return left
}

func second(parts []string) string {
	if len(parts) < 2 {
		return ""
	}
	return parts[1]
}

// alive reports whether a process runs on this machine.
func alive(pid int) bool {
	if pid == os.Getpid() {
		return false // it has only just begun: an earlier one had its number
	}
	err := unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}
