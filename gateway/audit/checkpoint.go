package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Head is the end of a chain: its last record's number and hash.
type Head struct {
	Seq  int64
	Hash Hash
}

// Checkpoint says how far a ledger's record had come at a time. Signed and kept
// elsewhere, it tells later whether anything up to there was changed, which the
// chain alone cannot tell of one that was sealed anew as a whole.
type Checkpoint struct {
	Origin string
	Head

	At time.Time
}

// maxCheckpoint bounds the text of a checkpoint, in bytes.
const maxCheckpoint = 64 << 10

// Refusals of checkpoints.
var (
	ErrMalformed = errors.New("it is no checkpoint")
	ErrOrigin    = errors.New("it is of another ledger")
	ErrUnsigned  = errors.New("it is not signed with this ledger's key, or with another ledger's or an unknown one; give the key it was signed with if that was replaced")
	ErrSignature = errors.New("its signature does not fit its text: the text, or the signature, was changed")
)

// text is what is signed: origin, number and hash, as the checkpoints of
// transparency logs (C2SP tlog-checkpoint) have them, and one line with the time.
func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\nat %s\n", c.Origin, c.Seq, base64.StdEncoding.EncodeToString(c.Hash[:]), c.At.UTC().Format(time.RFC3339))
}

// Sign writes the checkpoint as a signed note (golang.org/x/mod/sumdb/note).
func (c Checkpoint) Sign(k Key) (string, error) {
	c.Origin = k.Name()
	msg, err := note.Sign(&note.Note{Text: c.text()}, k)
	if err != nil {
		return "", fmt.Errorf("audit: checkpoint: %w", err)
	}
	return string(msg), nil
}

// ReadCheckpoint reads a checkpoint without asking who signed it.
func ReadCheckpoint(msg string) (c Checkpoint, err error) {
	body, _, found := strings.Cut(msg, "\n\n")
	lines := strings.Split(body, "\n")
	if len(msg) > maxCheckpoint || !found || len(lines) != 4 {
		return c, ErrMalformed
	}
	c.Origin = lines[0]
	seq, err := strconv.ParseInt(lines[1], 10, 64)
	hash, bad := base64.StdEncoding.DecodeString(lines[2])
	at, isTime := strings.CutPrefix(lines[3], "at ")
	if err != nil || bad != nil || !isTime || seq < 0 || len(hash) != len(c.Hash) {
		return c, ErrMalformed
	}
	if c.At, err = time.Parse(time.RFC3339, at); err != nil {
		return c, ErrMalformed
	}
	c.Seq, c.Hash = seq, Hash(hash)
	if c.text() != body+"\n" {
		return c, ErrMalformed
	}
	return c, nil
}

// signed says whether the checkpoint is of this record and signed by a key that
// was in use when it was made.
func (t trusted) signed(msg string) (Checkpoint, error) {
	c, err := ReadCheckpoint(msg)
	if err != nil {
		return c, err
	}
	if c.Origin != t.origin {
		return c, fmt.Errorf("%w (%s; this record is %s)", ErrOrigin, c.Origin, t.origin)
	}
	n, err := note.Open([]byte(msg), t.list())
	var invalid *note.InvalidSignatureError
	var unverified *note.UnverifiedNoteError
	switch {
	case errors.As(err, &invalid):
		return c, ErrSignature
	case errors.As(err, &unverified):
		return c, ErrUnsigned
	case err != nil:
		return c, ErrMalformed
	}
	for _, s := range n.Sigs {
		if until := t.until(s.Hash); until == 0 || c.Seq < until {
			return c, nil
		}
	}
	return c, fmt.Errorf("%w: its key was replaced by record %d, before what it tells of", ErrUnsigned, t.until(n.Sigs[0].Hash))
}
