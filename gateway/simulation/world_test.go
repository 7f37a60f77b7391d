package simulation_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/historytest"
	"loa/gateway/ledger"
)

const smsRate = 20

var (
	kinds = []channels.Kind{channels.SMS, channels.WebPush}
	quiet = slog.New(slog.DiscardHandler)
)

// cells are where people live.
var cells = []struct {
	dispatch.Cell
	n int
}{
	{dispatch.Cell{Kind: channels.SMS, Commune: "22101", Language: "vi"}, 14}, {dispatch.Cell{Kind: channels.WebPush, Commune: "22101", Language: "vi"}, 6},
	{dispatch.Cell{Kind: channels.SMS, Commune: "22102", Language: "vi"}, 9}, {dispatch.Cell{Kind: channels.SMS, Commune: "22102", Language: "en"}, 3},
	{dispatch.Cell{Kind: channels.SMS, Commune: "31101", Language: "vi"}, 11}, {dispatch.Cell{Kind: channels.WebPush, Commune: "31101", Language: "vi"}, 5},
}

// template is a ledger with its people, made once and copied for each run.
var template = sync.OnceValues(func() (people map[int64]dispatch.Cell, err error) {
	folder, err := ramFolder()
	if err != nil {
		return nil, err
	}
	templateFolder = folder
	l, err := ledger.OpenSQLite(context.Background(), filepath.Join(folder, "loa.db"), ledger.Options{})
	if err != nil {
		return nil, err
	}
	people = map[int64]dispatch.Cell{}
	made := 0
	for _, c := range cells {
		es := make([]audience.Sealed, c.n)
		for i := range es {
			made++
			es[i] = audience.Sealed{Endpoint: audience.Endpoint{Kind: c.Kind, Commune: c.Commune, Language: c.Language, Basis: audience.Duty}, Cipher: []byte{1}}
			binary.BigEndian.PutUint64(es[i].Lookup[:], uint64(made))
		}
		ids, err := l.Audience().Add(context.Background(), time.Now(), es)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			people[id] = c.Cell
		}
	}
	return people, l.Close()
})

var templateFolder string

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // many small lives
	flag.Parse()
	stories := "30"
	if testing.Short() {
		stories = "5"
	}
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if !asked {
		if err := flag.Set("rapid.checks", stories); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	if templateFolder != "" {
		_ = os.RemoveAll(templateFolder)
	}
	os.Exit(code)
}

func copyTemplate(t testing.TB) (folder string, people map[int64]dispatch.Cell) {
	t.Helper()
	people, err := template()
	if err != nil {
		t.Fatal(err)
	}
	if folder, err = ramFolder(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	raw, err := os.ReadFile(filepath.Join(templateFolder, "loa.db"))
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "loa.db"), raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return folder, people
}

// world is everything outside the gateway, and what was seen of it.
type world struct {
	dice     *dice
	folder   string
	people   map[int64]dispatch.Cell
	begin    time.Time
	offset   atomic.Int64 // of the wall clock
	random   io.Reader
	belt     *belt // nil: there is no queue
	carriers []*carrier
	byHand   bool                        // alerts are ended by a deed, not by a clock
	inDoubt  map[alert.ID]map[int64]bool // whom the ledger leaves in doubt at the end
	fault    fault                       // a mistake that is made on purpose
	boots    int
	current  atomic.Pointer[process]
	work     sync.WaitGroup // everything that runs
	over     atomic.Bool

	mu        sync.Mutex
	trap      *trap
	events    []historytest.Event
	batches   map[delivery.BatchID]*batch
	cases     map[alert.ID]*desk.Case
	retired   map[int64]int64
	lastCut   map[alert.ID]int64
	waiting   map[channels.Kind]map[*batch]bool // Extreme work nobody has begun
	steps     []clockStep
	audited   int64
	counts    map[string]int
	issued    []alert.ID // by number; empty until it is drafted
	bulletins int
	stale     map[channels.Kind]delivery.Lease // for a mistake that is made on purpose
	notes     []string
	broken    []string // what is wrong beyond the checker's invariants
}

// batch is what was seen of one.
type batch struct {
	id       delivery.BatchID
	alert    alert.ID
	kind     channels.Kind
	priority delivery.Priority
	roster   bool
	ids      []int64
	holder   string
	fence    int64
	attempts []uint8
	marked   map[int]int64 // fence of the latest mark
	reasons  map[int]string
	tried    map[int]bool
}

type clockStep struct {
	at    int64
	total time.Duration
}

func newWorld(seed uint64, folder string, people map[int64]dispatch.Cell) *world {
	d := newDice(seed)
	w := &world{
		dice: d, folder: folder, people: people, begin: time.Now(), random: &source{r: d.of("random")},
		batches: map[delivery.BatchID]*batch{}, cases: map[alert.ID]*desk.Case{}, retired: map[int64]int64{}, lastCut: map[alert.ID]int64{},
		waiting: map[channels.Kind]map[*batch]bool{channels.SMS: {}, channels.WebPush: {}}, counts: map[string]int{}, inDoubt: map[alert.ID]map[int64]bool{},
	}
	if !chance(d.Rand, 15) {
		w.belt = newBelt(d)
	}
	w.carriers = []*carrier{{w: w, kind: channels.SMS, name: "one", now: fair}, {w: w, kind: channels.SMS, name: "two", now: fair}, {w: w, kind: channels.WebPush, name: "push", now: fair}}
	return w
}

// wall is the injected clock. It has no monotonic part, as its steps are seen.
func (w *world) wall() time.Time { return time.Now().Round(0).Add(time.Duration(w.offset.Load())) }

// mono is the time of events.
func (w *world) mono() int64 { return int64(time.Since(w.begin)) + 1 }

func (w *world) record(e historytest.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.T == 0 {
		e.T = w.mono()
	}
	w.events = append(w.events, e)
}

// note tells what happened, for a person who looks at one seed.
func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, fmt.Sprintf("%014d ", w.mono())+fmt.Sprintf(format, args...))
}

func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what]++
}

func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

// later does something after a while, unless the run is over.
func (w *world) later(d time.Duration, do func()) {
	w.work.Go(func() {
		time.Sleep(d)
		if !w.over.Load() {
			do()
		}
	})
}

// anyNode is a node that takes callbacks; nil if none runs.
func (w *world) anyNode() *node {
	p := w.current.Load()
	if p == nil || p.dead.Load() {
		return nil
	}
	if living := p.living(); len(living) > 0 {
		return living[len(living)-1]
	}
	return nil
}

// step sets the wall clock.
func (w *world) step(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	total := time.Duration(w.offset.Add(int64(d)))
	w.steps = append(w.steps, clockStep{w.mono(), total})
	w.counts["clock steps"]++
}

func key(parts ...any) string { return fmt.Sprint(parts...) }

func addressOf(id int64) channels.Address { return channels.Address(fmt.Sprintf("+84%09d", id)) }

func idOf(a channels.Address) int64 {
	id, err := strconv.ParseInt(strings.TrimPrefix(a.Reveal(), "+84"), 10, 64)
	if err != nil {
		return 0
	}
	return id
}

func render(rev *alert.Revision, _ area.Code, _ channels.Kind, language string) ([]byte, error) {
	return []byte(string(rev.Alert) + " " + rev.Code + " " + language), nil
}

// tokens are people by token, which is their name.
type tokens struct{}

var territories = map[string]area.Code{"an": "VN", "binh": "VN", "chi": "22", "dung": "22"}

func (tokens) Person(_ context.Context, token channels.Secret) (id, name string, territory area.Code, err error) {
	t, ok := territories[token.Reveal()]
	if !ok {
		return "", "", "", errors.New("nobody")
	}
	return token.Reveal(), token.Reveal(), t, nil
}

func expand(codes []area.Code) (out []area.Code, _ error) {
	for _, c := range codes {
		if len(c) != 2 {
			out = append(out, c)
			continue
		}
		for _, x := range cells {
			if strings.HasPrefix(string(x.Commune), string(c)) {
				out = append(out, x.Commune)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// acted notes what an act of the desk changed.
func (w *world) acted(ctx context.Context, p *process, superseded []alert.ID, c *desk.Case) {
	s := &c.Submission
	now := w.mono()
	head := historytest.Event{T: now, Alert: string(c.ID), Revision: s.Revision.Number, Areas: plain(s.Communes), Hash: hex.EncodeToString(c.Hash[:])}
	w.mu.Lock()
	before := w.cases[c.ID]
	w.cases[c.ID] = c
	w.mu.Unlock()
	sign := func(act alert.Act) {
		for _, sig := range slices.Backward(c.Signatures) {
			if sig.Act != act {
				continue
			}
			e := head
			e.Kind, e.Person, e.Account, e.Op = historytest.KindApproval, sig.Person, sig.Person, "alert."+string(act)
			e.Areas = []string{historytest.Everywhere}
			if t := territories[sig.Person]; t != desk.Nation {
				communes, _ := expand([]area.Code{t})
				e.Areas = plain(communes)
			}
			w.record(e)
			return
		}
	}
	if (before == nil || before.State != c.State) && (c.State == alert.Submitted || c.State == alert.Approved) {
		w.submitted(c, head, before)
		if c.State == alert.Approved {
			sign(alert.ActApprove)
			w.eligible(c)
		} else {
			sign(alert.ActSubmit)
		}
	}
	if c.State == alert.Stopped && before.State != alert.Stopped {
		w.ended(head, "alert.stop", "")
	}
	for _, id := range superseded {
		old := w.caseOf(id)
		reason := "corrected"
		if s.Cause == dispatch.Updated {
			reason = historytest.Updated
		}
		next := *old
		next.State = alert.Superseded
		w.mu.Lock()
		w.cases[id] = &next
		w.mu.Unlock()
		w.ended(historytest.Event{T: now, Alert: string(id), Revision: old.Submission.Revision.Number}, "alert.supersede", reason)
	}
	w.audit(ctx, p)
}

func (w *world) caseOf(id alert.ID) *desk.Case {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cases[id]
}

// submitted notes what is signed.
func (w *world) submitted(c *desk.Case, head historytest.Event, before *desk.Case) {
	s := &c.Submission
	if c.State != alert.Submitted && before != nil && before.State == alert.Submitted {
		return
	}
	e := head
	e.Kind, e.Person, e.Status, e.Severity = historytest.KindSubmit, c.Author.ID, s.Revision.Status, s.Revision.Severity()
	e.Priority = fmt.Sprintf("p%d", dispatch.PriorityOf(s.Cause, s.Revision.Severity()))
	if s.Cause == dispatch.Correction || s.Cause == dispatch.Stopped {
		e.Op = "alert." + string(s.Cause)
	}
	w.record(e)
}

// eligible notes whom an approved alert is for. A correction's are noted when
// it is cut.
func (w *world) eligible(c *desk.Case) {
	s := &c.Submission
	if s.Cause == dispatch.Correction || s.Cause == dispatch.Stopped {
		return
	}
	for _, cell := range cells {
		if !slices.Contains(s.Communes, cell.Commune) || !slices.Contains(s.Kinds, cell.Kind) {
			continue
		}
		var ids []int64
		for id, at := range w.people {
			if at == cell.Cell {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		w.record(historytest.Event{Kind: historytest.KindEligible, Alert: string(c.ID), Revision: s.Revision.Number, Channel: cell.Kind, Commune: string(cell.Commune), IDs: ids})
	}
}

func (w *world) ended(e historytest.Event, act, reason string) {
	e.Kind, e.Op, e.Reason = historytest.KindCancel, act, reason
	w.record(e)
	w.mu.Lock()
	var freed []*batch
	for _, b := range w.batches {
		if string(b.alert) == e.Alert {
			freed = append(freed, b)
		}
	}
	w.mu.Unlock()
	for _, b := range freed {
		w.waitsNoMore(b)
	}
}

// audit notes new records.
func (w *world) audit(ctx context.Context, p *process) {
	w.mu.Lock()
	after := w.audited
	w.mu.Unlock()
	recs, err := p.ledger.Audit(context.WithoutCancel(ctx), after, 1000)
	if err != nil {
		return // the next act or the end reads them
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range recs {
		if r.Seq <= w.audited {
			continue
		}
		w.audited = r.Seq
		w.events = append(w.events, historytest.Event{T: w.mono(), Kind: historytest.KindAudit, Seq: r.Seq, At: r.At.UTC().UnixNano(), Person: r.Actor, Op: r.Act,
			Object: r.Object, Detail: r.Detail, Prev: r.Prev.String(), Hash: r.Hash.String()})
	}
}

func plain(codes []area.Code) []string {
	out := make([]string, len(codes))
	for i, c := range codes {
		out[i] = string(c)
	}
	return out
}
