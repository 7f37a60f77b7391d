package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"loa/channels"
	"loa/gateway"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/desk"
)

const (
	addAtOnce = 50_000
	adders    = 2
)

// subscribers takes those that were kept, or makes and keeps them.
func (r *run) subscribers(ctx context.Context) error {
	kept := filepath.Join(r.Keep, strconv.Itoa(r.Recipients))
	if r.Keep != "" {
		err := copyLedger(r.dir, kept)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := r.prepare(ctx); err != nil || r.Keep == "" {
		return err
	}
	if err := os.MkdirAll(kept, 0o700); err != nil {
		return err
	}
	return copyLedger(kept, r.dir)
}

// copyLedger copies a closed ledger with the key its addresses are sealed with.
func copyLedger(to, from string) error {
	for _, name := range []string{"master.key", "loa.db"} {
		if err := copyFile(filepath.Join(to, name), filepath.Join(from, name)); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from) //nolint:gosec // the run's own folders
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // the same
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// prepare subscribes the recipients in a gateway of its own, so that the
// measured one starts with empty caches and a ledger without a log.
func (r *run) prepare(ctx context.Context) error {
	began := time.Now()
	g, listener, err := r.open(ctx)
	if err != nil {
		return err
	}
	err = r.subscribe(ctx, g)
	r.result.PrepareSecond = time.Since(began).Seconds()
	return errors.Join(err, g.Close(), listener.Close())
}

// subscribe draws everybody a commune by its population; one in twenty reads
// English.
func (r *run) subscribe(ctx context.Context, g *gateway.Gateway) error {
	var communes []area.Code
	for _, u := range r.communes(g) {
		for range max(1, u.Population/1000) {
			communes = append(communes, u.Code)
		}
	}
	now := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(adders)
	for start := 0; start < r.Recipients && ctx.Err() == nil; start += addAtOnce {
		group.Go(func() error {
			rng := rand.New(rand.NewPCG(uint64(start), 0x10a)) //nolint:gosec // drawn people, not secrets
			es := make([]audience.Endpoint, min(addAtOnce, r.Recipients-start))
			for i := range es {
				es[i] = audience.Endpoint{
					Kind: channels.SMS, Commune: communes[rng.IntN(len(communes))], Language: "vi", Address: number(start + i),
					Basis: audience.Consent, ConsentText: "bench-1", ConsentAt: now,
				}
				if rng.IntN(20) == 0 {
					es[i].Language = "en"
				}
			}
			_, err := g.Audience.Add(ctx, now, es)
			return err
		})
		if start > 0 {
			r.Say("%d subscribers", start)
		}
	}
	return group.Wait()
}

// number is the i-th of ten million well-formed mobile numbers.
func number(i int) channels.Address { return channels.Address(fmt.Sprintf("+8490%07d", i)) }

func (r *run) communes(g *gateway.Gateway) []area.Unit {
	var all []area.Unit
	for _, p := range r.Provinces {
		all = append(all, g.Areas.Communes(p)...)
	}
	return all
}

// draft submits the alert. The function approves it, and says since when it
// may be counted: just before the commit.
func (r *run) draft(ctx context.Context, g *gateway.Gateway) (approve func() (alert.ID, time.Time, error), err error) {
	_, author, err := g.Account.Add(ctx, "Nguyễn Thị Soạn", desk.Nation)
	if err != nil {
		return nil, err
	}
	_, approver, err := g.Account.Add(ctx, "Trần Văn Duyệt", desk.Nation)
	if err != nil {
		return nil, err
	}
	c, err := g.Desk.Draft(ctx, author, desk.DraftInput{Status: alert.Actual, Infos: r.Bulletin(time.Now(), r.communes(g)), Source: "bench"})
	if err != nil {
		return nil, err
	}
	if c, err = g.Desk.Submit(ctx, author, c.ID); err != nil {
		return nil, err
	}
	return func() (alert.ID, time.Time, error) {
		began := time.Now()
		_, err := g.Desk.Approve(ctx, approver, c.ID, c.Hash, "")
		return c.ID, began, err
	}, nil
}
