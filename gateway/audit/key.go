package audit

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Origin names the record of a ledger in a checkpoint and in its key.
func Origin(ledger string) string { return "loa/" + ledger }

// Key signs the checkpoints of one ledger. It must not be logged.
type Key struct {
	verifier note.Verifier
	text     string
	private  ed25519.PrivateKey
}

// NewKey makes the key of a ledger's record from 32 secret bytes.
func NewKey(ledger string, seed []byte) (Key, error) {
	if len(seed) != ed25519.SeedSize {
		return Key{}, fmt.Errorf("audit: a key has %d secret bytes, not %d", ed25519.SeedSize, len(seed))
	}
	k := Key{private: ed25519.NewKeyFromSeed(seed)}
	public, _ := k.private.Public().(ed25519.PublicKey)
	var err error
	if k.text, err = note.NewEd25519VerifierKey(Origin(ledger), public); err == nil {
		k.verifier, err = note.NewVerifier(k.text)
	}
	if err != nil {
		return Key{}, fmt.Errorf("audit: key: %w", err)
	}
	return k, nil
}

// Verifier is the public half: one line of text that anybody may have, and that
// is best kept where checkpoints are kept.
func (k Key) Verifier() string { return k.text }

// Name is the origin; with KeyHash and Sign it makes a Key a note.Signer.
func (k Key) Name() string { return k.verifier.Name() }

// KeyHash tells keys of one origin apart.
func (k Key) KeyHash() uint32 { return k.verifier.KeyHash() }

// Sign signs a message.
func (k Key) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.private, msg), nil }

// ActRotate is the act of a record whose detail holds a Succession.
const ActRotate = "keys.rotate"

const successionWord = "successor"

// Succession is a note in which two keys of one ledger acknowledge each other:
// whoever trusts one of them may trust the other.
func Succession(old, next Key) (string, error) {
	if old.Name() != next.Name() {
		return "", errors.New("audit: two keys of different ledgers do not succeed each other")
	}
	text := fmt.Sprintf("%s\n%s\n%s\n%s\n", old.Name(), successionWord, old.text, next.text)
	msg, err := note.Sign(&note.Note{Text: text}, old, next)
	if err != nil {
		return "", fmt.Errorf("audit: succession: %w", err)
	}
	return string(msg), nil
}

// trusted are the keys that a checkpoint may be signed with.
type trusted struct {
	origin string
	keys   map[string]trustedKey
}

// trustedKey is a key and the number of the record that replaced it, 0 if none
// has.
type trustedKey struct {
	verifier note.Verifier
	until    int64
}

// succession is one that was found in the chain.
type succession struct {
	seq       int64
	old, next string
	msg       string
}

// readSuccession reads a note of Succession without believing it.
func readSuccession(seq int64, msg string) (succession, bool) {
	lines := strings.SplitN(msg, "\n", 5)
	ok := len(lines) == 5 && lines[1] == successionWord
	if !ok {
		return succession{}, false
	}
	return succession{seq: seq, old: lines[2], next: lines[3], msg: msg}, true
}

// proven reports whether both keys have signed.
func (s succession) proven(origin string) bool {
	old, err := note.NewVerifier(s.old)
	if err != nil || old.Name() != origin {
		return false
	}
	next, err := note.NewVerifier(s.next)
	if err != nil || next.Name() != origin {
		return false
	}
	n, err := note.Open([]byte(s.msg), note.VerifierList(old, next))
	return err == nil && len(n.Sigs) == 2
}

// trust begins with the keys that are known from outside the chain and follows
// the successions from there, back and forth.
func trust(origin string, verifiers []string, found []succession) (trusted, error) {
	t := trusted{origin: origin, keys: map[string]trustedKey{}}
	for _, text := range verifiers {
		v, err := note.NewVerifier(strings.TrimSpace(text))
		if err != nil {
			return t, fmt.Errorf("audit: %q is no verifier key: %w", text, err)
		}
		if v.Name() != origin {
			return t, fmt.Errorf("audit: the verifier key is of %s, and this record is %s", v.Name(), origin)
		}
		t.keys[strings.TrimSpace(text)] = trustedKey{verifier: v}
	}
	var proven []succession
	for _, s := range found {
		if s.proven(origin) {
			proven = append(proven, s)
		}
	}
	for more := true; more; {
		more = false
		for _, s := range proven {
			_, old := t.keys[s.old]
			_, next := t.keys[s.next]
			if old == next {
				continue
			}
			more = true
			for _, text := range []string{s.old, s.next} {
				v, err := note.NewVerifier(text)
				if err != nil {
					return t, fmt.Errorf("audit: succession: %w", err)
				}
				t.keys[text] = trustedKey{verifier: v}
			}
		}
	}
	t.retire(proven)
	return t, nil
}

// retire notes which keys were replaced. One that was taken again later counts.
func (t trusted) retire(in []succession) {
	until := map[string]int64{}
	for _, s := range in { // in the order of the records
		until[s.old] = s.seq
		delete(until, s.next)
	}
	for text, k := range t.keys {
		k.until = until[text]
		t.keys[text] = k
	}
}

// list is what a note is opened with.
func (t trusted) list() note.Verifiers {
	all := make([]note.Verifier, 0, len(t.keys))
	for _, k := range t.keys {
		all = append(all, k.verifier)
	}
	return note.VerifierList(all...)
}

// until is the record that replaced the key of a signature.
func (t trusted) until(hash uint32) int64 {
	for _, k := range t.keys {
		if k.verifier.KeyHash() == hash {
			return k.until
		}
	}
	return 0
}
