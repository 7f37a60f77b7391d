// Package rig plays a province for tests: Loa's gateways, its providers, Redis
// and the subscribers' apps as separate processes that can be killed, frozen
// and cut off, with the providers' own books as the ground truth. It knows the
// commands and the API of the product and nothing of its rooms.
package rig

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"loa/channels"
	crowd "loa/channels/app/standin"
	"loa/gateway/historytest"
)

// What every rig's configuration says.
const (
	Account   = "AC00000000000000000000000000000001"
	Sender    = "QuangNinh"
	AuthToken = "0123456789abcdef0123456789abcdef" // of the carrier's account
	Password  = "fedcba9876543210fedcba9876543210" // of the second carrier's, #nosec G101 -- of a test
	Master    = "S2V5IG9mIGEgdGVzdCwgMzIgYnl0ZXMgbG9uZy4uLiE="
)

// Options say what kind of province is played.
type Options struct {
	People int // 60 % SMS, 30 % web push, 10 % app
	// Everywhere has them live in all 54 communes instead of ten: the batches
	// are as many and so much smaller.
	Everywhere bool
	Postgres   string // connection string; empty: SQLite
	Gateways   int    // that share it, as their configuration says; default 1
	Redis      string // the section of the configuration; empty: a server of its own
	// PerSecond is how many SMS may leave each second; 0: no limit. It makes an
	// alert's middle wide enough for a fault.
	PerSecond   int
	ResendAfter time.Duration // default 3 s
	Tags        []string      // build tags of the gateway; default Tag, without which a run cannot be judged
	Lease       time.Duration // of a batch; default that of production
	CarrierArgs []string      // how the carrier misbehaves
	PushArgs    []string      // how the push service does
	LogLevel    string        // default info
	Ranges      []string      // what the numbers of phones begin with, in turn; default +8491
	RetryAfter  time.Duration // after a report that a phone could not be reached; default ten minutes
	CallTimeout time.Duration // of a call to the carrier; default 10 s
	// Second adds a carrier that speaks SMPP, the dearer of the two.
	Second         bool
	SecondPrefixes []string // of the numbers that it is preferred for
	SecondArgs     []string // how it misbehaves
	// Extra is added to the configuration, its lines as they stand.
	Extra string
	// Before and BeforePush are asked for the address that the gateway uses
	// for a provider, given the real one; nil: that one.
	Before, BeforePush func(addr string) string
}

// Rig is a province.
type Rig struct {
	testing.TB

	Options Options

	Dir    string
	Bin    string
	Door   *Proxy // leads people, apps and callbacks to a gateway that lives
	Redis  *Redis // nil if Options named one
	People []Person
	Nodes  []*Node

	carrier, push, second string // where the providers listen, scheme and all
	Carrier, Push, Second *Process
	pushKey               channels.Secret
	crowd                 *crowd.Crowd
	tokens                [2]string // of the author and the approver

	records   string // folder of the recorders
	began     historytest.Anchor
	submitted []string // alerts for everybody
	acting    sync.Mutex
	acts      []historytest.Event // calls of clients
}

// Person is a subscriber.
type Person struct {
	Kind    channels.Kind
	Address string
	Commune string
}

// The concurrency of every rig's channels.
const (
	SMSWorkers  = 4
	SMSWindow   = 16
	PushWorkers = 2
	PushWindow  = 32
	AppWorkers  = 2
)

// New makes a province: providers and Redis run, people are subscribed, no
// gateway runs yet.
func New(t testing.TB, o Options) *Rig {
	t.Helper()
	Need(t, "redis-server", "redis-cli")
	if o.LogLevel == "" {
		o.LogLevel = "info"
	}
	if o.ResendAfter == 0 {
		o.ResendAfter = 3 * time.Second
	}
	o.Gateways = max(o.Gateways, 1)
	if o.Tags == nil {
		o.Tags = []string{Tag}
	}
	r := &Rig{TB: t, began: historytest.Now(), records: t.TempDir(), Options: o, Dir: t.TempDir(), Bin: Build(t, o.Tags...), Door: NewProxy(t)}
	if len(r.Options.Ranges) == 0 {
		r.Options.Ranges = []string{"+8491"}
	}
	if r.Options.CallTimeout == 0 {
		r.Options.CallTimeout = 10 * time.Second
	}
	if r.Options.RetryAfter == 0 {
		r.Options.RetryAfter = 10 * time.Minute
	}
	if r.Options.Redis == "" {
		r.Redis = StartRedis(t)
		r.Options.Redis = fmt.Sprintf(`{addr: %q}`, r.Redis.Addr)
	}
	r.Carrier, r.carrier = r.standin("sms", r.CarrierBooks(), o.CarrierArgs...)
	r.Push, r.push = r.standin("push", r.PushBooks(), o.PushArgs...)
	if o.Second {
		r.Second, r.second = r.standin("smpp", r.SecondBooks(), o.SecondArgs...)
	}
	r.draw()
	node := r.addNode()
	r.tokens = [2]string{r.Person("Nguyễn Thị Soạn"), r.Person("Trần Văn Duyệt")}
	r.subscribe(node)
	return r
}

// standin starts a provider and returns the base of its URLs.
func (r *Rig) standin(kind, books string, args ...string) (*Process, string) {
	r.Helper()
	p := Start(r, []string{"LOA_STANDIN_TOKEN=" + AuthToken, "LOA_STANDIN_PASSWORD=" + Password}, r.Bin, append([]string{"standin", kind, "--books", books}, args...)...)
	line, err := bufio.NewReader(p.Stdout).ReadString('\n')
	if err != nil {
		r.Fatalf("the %s stand-in: %v: %s", kind, err, p.Said())
	}
	return p, strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
}

// RestartCarrier starts the carrier again on its books and its address, which
// must be dead by then.
func (r *Rig) RestartCarrier(args ...string) {
	r.Helper()
	listen := strings.TrimPrefix(r.carrier, "http://")
	r.Carrier, _ = r.standin("sms", r.CarrierBooks(), append([]string{"--listen", listen}, args...)...)
}

// CarrierBooks and PushBooks are the providers' files of what they took.
func (r *Rig) CarrierBooks() string { return filepath.Join(r.Dir, "sms.books") }

// PushBooks is the push service's.
func (r *Rig) PushBooks() string { return filepath.Join(r.Dir, "push.books") }

// AppBooks is the file of what the apps' connections brought.
func (r *Rig) AppBooks() string { return filepath.Join(r.Dir, "app.books") }

// Apps is how many people have the app.
func (r *Rig) Apps() int { return r.Options.People - r.Options.People*6/10 - r.Options.People*3/10 }

// connect brings the apps on line through the door, and keeps them there.
func (r *Rig) connect() {
	r.Helper()
	first := r.Options.People - r.Apps()
	file, err := os.OpenFile(r.AppBooks(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		r.Fatal(err)
	}
	r.crowd = crowd.New(crowd.Options{
		Books: file,
		URL:   "ws://" + r.Door.Addr() + "/channels/hub/ws", Seed: "rig", Language: "vi",
		Communes: func(i int) []string { return []string{r.People[first+i].Commune} },
		Pause:    200 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan struct{})
	go func() { r.crowd.Run(ctx, r.Apps()); close(gone) }()
	r.Cleanup(func() {
		cancel()
		<-gone
		if err := errors.Join(r.crowd.BooksErr(), file.Close()); err != nil {
			r.Error(err)
		}
	})
	Eventually(r, 30*time.Second, "the apps to connect", func() (bool, string) {
		return r.crowd.Connected() == r.Apps(), fmt.Sprint(r.crowd.Connected())
	})
}
