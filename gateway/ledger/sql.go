package ledger

import (
	"context"
	"errors"
)

// tx is one transaction of either database. Statements are written with "?"
// and are the same for both.
type tx interface {
	// exec runs a statement and returns how many rows it changed.
	exec(query string, args ...any) (int64, error)
	// each calls row for every row of the answer. The statement must not be
	// run again before each has returned.
	each(query string, args []any, row func(scan func(...any) error) error) error
	// insert stores many rows: args holds one row after the other.
	insert(table string, columns []string, rows [][]any) error
	// clock is the time by which leases are judged, in nanoseconds; only its
	// differences mean anything.
	clock() (int64, error)
	// boot names the life of the clock: leases of another boot are void.
	boot() string
	dialect() dialect
	// leased holds the batches that the writer knows by heart, nil if others
	// may write to them.
	leased() *leases
	// pressed tells bulk work to end with what it has done: acts wait, or it
	// has taken its time.
	pressed() bool
}

// dialect is where the two databases part.
type dialect struct {
	lock  string // after a SELECT: take the rows
	skip  string // after lock: pass over rows that others hold
	share string // after a SELECT: nobody may change the rows meanwhile
	ints  func([]int64) any
	strs  func([]string) any
	// inInts and inStrs stand after a column and take one argument.
	inInts, inStrs string
	// listed asks for many hashes (the first argument) of a kind at once, by
	// the index whatever the planner believes. Empty: ask for one at a time.
	listed string
	// stride is how many rows bulk work handles before it asks whether it is
	// pressed.
	stride int
}

// lane orders waiting transactions of the one writer.
type lane int

const (
	acts lane = iota // people's acts, p0 and everything short
	bulk             // imports, cuts, cleaning
)

// base is a database.
type base interface {
	// write runs do in a transaction of its own, durable when it returns nil.
	// do may run more than once and must not keep what it learned unless
	// write returns nil.
	write(ctx context.Context, l lane, do func(tx) error) error
	// read runs do on a consistent state.
	read(ctx context.Context, do func(tx) error) error
	// scrub overwrites what has been deleted, as far as the database can. It
	// returns errBusy if others are in the way.
	scrub(ctx context.Context) error
	close() error
}

var errBusy = errors.New("ledger: others are reading")

// one scans the only row of an answer and reports whether there was one.
func one(t tx, query string, args []any, dest ...any) (bool, error) {
	found := false
	err := t.each(query, args, func(scan func(...any) error) error {
		found = true
		return scan(dest...)
	})
	return found, err
}

// column scans answers of one column.
func column[T any](t tx, query string, args ...any) (all []T, err error) {
	err = t.each(query, args, func(scan func(...any) error) error {
		var v T
		if err := scan(&v); err != nil {
			return err
		}
		all = append(all, v)
		return nil
	})
	return all, err
}

// take moves a sequence on by n and returns the number before the first taken.
// It holds the row until the transaction ends, so numbers become visible in
// their order.
func take(t tx, name string, n int) (int64, error) {
	var v int64
	ok, err := one(t, "UPDATE sequence SET value = value + ? WHERE name = ? RETURNING value", []any{int64(n), name}, &v)
	if err == nil && !ok {
		err = errors.New("ledger: sequence " + name + " is missing")
	}
	return v - int64(n), err
}
