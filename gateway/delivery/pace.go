package delivery

import (
	"context"
	"time"

	"loa/channels"
)

const (
	firstPause = 250 * time.Millisecond // after a throttle that named no time
	mostPause  = 10 * time.Second       // of those
	maxPause   = 5 * time.Minute

	overflowPause = 10 * time.Second // after a message was dropped from the provider's queue

	faster      = 0.02             // what a second adds to the pace
	slowest     = 0.1              // the least the pace can be
	cutMost     = 0.3              // of the pace, at once
	quietFor    = time.Minute      // without a throttle: then answers are no longer counted
	futileFor   = 30 * time.Second // how long the pace is left alone when cuts did not help
	cutsFutile  = 3                // cuts that did not help
	epoch       = time.Second      // the pace is judged so often, on
	epochLeast  = 10               // answers at least
	shareFine   = 0.03             // of throttles that is no reason to slow down
	shareFutile = 0.8              // of what it was before: then slowing down did not help
	learnFrom   = 20               // calls a second to begin with, where no limit is configured
	learnUsed   = 0.5              // part of what is allowed that must have been used before more is
	answerShift = 1.0 / 8          // what one answer weighs in recent
	recentFirst = 0.5              // after the first throttle: what came before was not counted
	recentAll   = 0.75             // the provider takes hardly anything
	recentFor   = 5 * time.Minute  // how long what was counted stays true
)

// pace is how a provider that throttles is called. One that takes hardly
// anything is left alone for as long as it asks. One that refuses some of many
// calls is called less often, as much as it takes, and carefully more again; if
// that does not change how many it refuses, refusals have another reason, and
// it is called as often as is allowed. Where no limit is configured, one is
// learned once the provider throttles: what it took in the second before, and
// twice as much after each second without a throttle.
type pace struct {
	base   float64 // calls a second of which part are made: configured, or learned
	part   float64 // as of at
	found  bool    // base has once been too much
	at     time.Time
	recent float64   // share of throttles among the latest answers
	last   time.Time // the latest throttle
	row    int       // pauses in a row

	began         time.Time // of the epoch
	taken, thrown float64   // answers in it
	before        float64   // greatest share of throttles since the pace was first cut in a row, 0 if it was not
	cuts          int       // in a row
	futile        time.Time // until then it is not cut
}

func (c *pace) current(now time.Time) float64 {
	return min(1, c.part+faster*now.Sub(c.at).Seconds())
}

// paceBy hears an answer of a provider that throttles, or did of late.
func (p *provider) paceBy(e *channels.Error, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &p.pace
	throttled := e != nil && e.Fault == channels.FaultThrottled
	switch {
	case throttled && !p.slowed.Load():
		recent := recentFirst
		if !c.last.IsZero() && now.Sub(c.last) < recentFor && c.recent < recentAll {
			recent = c.recent // it took most, the last time
		} else if p.lately.rate(p.took.Load(), now) >= learnFrom {
			recent = answerShift // it takes others
		}
		*c = pace{base: p.base(now), part: c.current(now), at: now, recent: recent, began: now, row: c.row, futile: c.futile}
		p.slowed.Store(true)
	case throttled:
		c.recent += answerShift * (1 - c.recent)
		c.thrown++
	case e == nil:
		c.recent -= answerShift * c.recent
		c.taken++
	}
	if throttled {
		c.last = now
		if c.recent > recentAll {
			p.pauseFor(e.RetryAfter, now)
		}
	} else if now.Sub(c.last) > quietFor {
		p.slowed.Store(false)
		c.row = 0
	}
	c.judge(p.perSecond <= 0, now)
}

// judge changes the pace at the end of an epoch.
func (c *pace) judge(learns bool, now time.Time) {
	n := c.taken + c.thrown
	if now.Sub(c.began) < epoch || n < epochLeast {
		return
	}
	share := c.thrown / n
	part := c.current(now)
	switch {
	case share <= shareFine || c.thrown <= 1:
		c.before, c.cuts = 0, 0
		if used := c.taken >= learnUsed*part*c.base*now.Sub(c.began).Seconds(); learns && used && (part >= 1 || !c.found) {
			part = 1
			c.base *= 2
		}
	case c.cuts >= cutsFutile && share >= shareFutile*c.before:
		part, c.before, c.cuts, c.futile = 1, 0, 0, now.Add(futileFor)
	case learns && !c.found && c.base <= learnFrom:
		// What was called in the rush that showed that there is a limit.
	case now.After(c.futile):
		c.found = true
		part, c.before = max(slowest, part*(1-min(share, cutMost))), max(share, c.before)
		c.cuts++
	}
	c.part, c.at = part, now
	c.began, c.taken, c.thrown = now, 0, 0
}

// base is the provider's limit, or what it has taken of late if none is
// configured. It is called with mu held.
func (p *provider) base(now time.Time) float64 {
	if p.perSecond > 0 {
		return float64(p.perSecond)
	}
	return max(learnFrom, p.lately.rate(p.took.Load(), now))
}

// lately remembers what a provider had taken a moment ago and before.
type lately struct {
	older, newer int64
	olderAt      time.Time
	newerAt      time.Time
}

// note is called every now and then.
func (l *lately) note(took int64, now time.Time) {
	if now.Sub(l.newerAt) < time.Second/2 {
		return
	}
	l.older, l.olderAt = l.newer, l.newerAt
	l.newer, l.newerAt = took, now
}

// rate is how much was taken a second since the older note, of which there is
// none at first.
func (l *lately) rate(took int64, now time.Time) float64 {
	if l.olderAt.IsZero() {
		return float64(took)
	}
	return float64(took-l.older) / max(now.Sub(l.olderAt), time.Second/2).Seconds()
}

// pauseFor leaves the provider alone. It is called with mu held.
func (p *provider) pauseFor(wait time.Duration, now time.Time) {
	if wait <= 0 {
		if now.Before(p.until) {
			return // one of the calls that were open when the pause began
		}
		ceiling := min(firstPause<<min(p.pace.row, 8), mostPause)
		wait = ceiling/2 + time.Duration(p.jitter(int64(ceiling/2)+1))
		p.pace.row++
	}
	if until := now.Add(min(wait, maxPause)); until.After(p.until) {
		p.until = until
	}
	// What was answered in the rush before a pause says little of the pace.
	p.pace.began, p.pace.taken, p.pace.thrown = p.until, 0, 0
	p.tokens.left, p.smooth.left = 0, 0
	p.paused.Store(true)
}

// overflowed hears that the provider's queue was full: it is left alone for as
// long as its backlog may last.
func (p *provider) overflowed(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !now.Before(p.until) {
		p.pauseFor(overflowPause, now)
	}
}

// A failure of the shared budget that takes longer than the line lasts leaves
// the provider idle: the node keeps to its own share then, and asks again later.
// After a much longer one it is the node that stood still, and the others have
// its share.
const (
	slowAnswer = time.Second / lineParts
	stoodStill = time.Second
	aloneFor   = 500 * time.Millisecond

	// joinFor is how long a node that comes back to the shared budget takes no
	// more of it than its own share.
	joinFor = time.Second
)

// rated asks the provider's rate for up to n calls that start now. One call at a
// time may.
func (p *provider) rated(ctx context.Context, shared Rate, n int, now, wall time.Time) (int, time.Duration) {
	p.mu.Lock()
	slowed := p.slowed.Load()
	limit := max(1, p.pace.base*p.pace.current(now))
	if shared != nil && slowed {
		// The shared budget comes in slots of many calls at once, which is what
		// a provider at its limit refuses.
		granted, wait := p.smooth.take(limit, smoothed(limit), n, now)
		if granted == 0 {
			p.mu.Unlock()
			return 0, wait
		}
		n = granted
	}
	p.mu.Unlock()
	if shared == nil || now.Before(p.alone) {
		p.budget.asked = time.Time{}
		return p.ownShare(limit, n, now)
	}
	joins := p.budget.joins(now)
	if joins > 0 {
		granted, wait := p.ownShare(limit, n, now)
		if granted == 0 {
			return 0, min(wait, joins)
		}
		n = granted
	}
	granted, wait, err := shared.Take(ctx, p.name, int(limit), n, wall)
	took := mono().Sub(now)
	if err != nil {
		return p.unanswered(limit, n, joins > 0, took, now)
	}
	p.budget.failing = false
	p.mu.Lock()
	defer p.mu.Unlock()
	if joins > 0 {
		p.tokens.left += float64(n - granted)
	} else {
		p.tokens.spend(limit/float64(p.nodes), granted, now)
	}
	return granted, wait
}

// budget is what a node remembers of the shared budget.
type budget struct {
	since   time.Time // of the first question in a row
	asked   time.Time // of the latest; zero: it was not answered, or the node keeps to its own share
	failing bool
}

// joins says for how long a node that comes back to the shared budget keeps to
// its own share too: others may not have come back yet.
func (b *budget) joins(now time.Time) time.Duration {
	if now.Sub(b.asked) > 2*joinFor {
		b.since = now
	}
	b.asked = now
	return b.since.Add(joinFor).Sub(now)
}

// unanswered gives calls of the node's own share when the shared budget failed.
func (p *provider) unanswered(limit float64, n int, joins bool, took time.Duration, now time.Time) (int, time.Duration) {
	first := !p.budget.failing
	p.budget.asked, p.budget.failing = time.Time{}, true
	if took >= slowAnswer && took < stoodStill {
		p.alone = now.Add(took + aloneFor)
	}
	if joins && took < stoodStill {
		return n, 0 // of its own share already
	}
	if first || took >= stoodStill {
		p.mu.Lock()
		p.tokens.spend(limit/float64(p.nodes), 0, now)
		p.tokens.left = min(p.tokens.left, 0) // the others may have had all of this second
		p.mu.Unlock()
	}
	return p.ownShare(limit, n, now)
}

// ownShare gives up to n calls of this node's part of the limit.
func (p *provider) ownShare(limit float64, n int, now time.Time) (int, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	own := limit / float64(p.nodes)
	burst := own / burstSlots
	if p.slowed.Load() {
		burst = smoothed(own)
	}
	return p.tokens.take(own, burst, n, now)
}

// A bucket never holds more than such a part of a second's calls, so that no
// second sees more than 1.05 times the limit.
const (
	burstSlots  = 20
	smoothSlots = 100
)

// smoothed is what a bucket keeps of a limit when the provider is slowed: hardly
// more than one call, and what comes in while a timer is late.
func smoothed(limit float64) float64 {
	const late = 0.002 // seconds
	return max(1+late*limit, limit/smoothSlots)
}

// bucket holds calls that may be made.
type bucket struct {
	left float64
	at   time.Time
}

// take gives up to n calls at limit per second, of which it keeps burst, at
// least one. Otherwise it says how long to wait for the next.
func (b *bucket) take(limit, burst float64, n int, now time.Time) (int, time.Duration) {
	burst = max(1, burst)
	b.left = min(burst, b.left+now.Sub(b.at).Seconds()*limit)
	b.at = now
	if granted := min(n, int(b.left)); granted > 0 {
		b.left -= float64(granted)
		return granted, 0
	}
	return 0, time.Duration((1-b.left)/limit*float64(time.Second)) + time.Millisecond
}

// spend takes what was granted elsewhere off the bucket: when every other
// question to the shared budget fails, the two together grant no more than one
// of them. It never owes more than a second.
func (b *bucket) spend(limit float64, n int, now time.Time) {
	b.left = max(-limit, min(smoothed(limit), b.left+now.Sub(b.at).Seconds()*limit)-float64(n))
	b.at = now
}

// askShare is the part of a provider's rate that lookups may use, and asksFree
// how many a second a provider without a limit is asked.
const (
	askShare = 0.2
	asksFree = 50
)

// askLimit is how many lookups a second the provider may be asked for.
func (p *provider) askLimit() float64 {
	if p.perSecond <= 0 {
		return asksFree
	}
	return max(1, askShare*float64(p.perSecond)/float64(p.nodes))
}

// takeAsks asks for up to n lookups, which wait for the same rate as sends and
// never use more than their share of it.
func (p *provider) takeAsks(n int, now time.Time) (int, time.Duration) {
	if wait := p.ready(now); wait > 0 {
		return 0, wait
	}
	limit := p.askLimit()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asking.take(limit, limit/burstSlots, n, now)
}
