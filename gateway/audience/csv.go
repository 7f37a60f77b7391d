package audience

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
)

// maxRecord bounds one row, so that a quote that is never closed cannot take
// the whole file into memory.
const maxRecord = 64 << 10

// ErrRecord ends the reading of a file.
var ErrRecord = fmt.Errorf("audience: a row longer than %d KiB, or a quote that is not closed", maxRecord>>10)

// rows reads records of a subscriber file.
type rows struct {
	csv    *csv.Reader
	limit  *limited
	header header
}

func openRows(r io.Reader) (*rows, error) {
	file := bufio.NewReader(r)
	comma, err := recognise(file)
	if err != nil {
		return nil, err
	}
	in := &rows{limit: &limited{r: file}}
	in.csv = csv.NewReader(in.limit)
	in.csv.Comma = comma
	in.limit.left = maxRecord
	record, err := in.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, &HeaderError{columnNames[0], "missing: the file is empty"}
	}
	if errors.Is(err, ErrRecord) {
		return nil, fmt.Errorf("line 1: %w", err)
	}
	if err != nil {
		return nil, &HeaderError{"", readRule(err).Error()}
	}
	in.header, err = readHeader(record)
	return in, err
}

// parcels reads to the end of the file. Records that cannot be read are passed
// on with the reason.
func (in *rows) parcels(ctx context.Context, work, ordered chan<- *parcel) error {
	last := 1
	for end := false; !end; {
		p := &parcel{done: make(chan struct{})}
		for len(p.records) < stageRows {
			in.limit.left = maxRecord
			record, err := in.csv.Read()
			if errors.Is(err, io.EOF) {
				end = true
				break
			}
			var bad *csv.ParseError
			line := 0
			switch {
			case err == nil:
				line, _ = in.csv.FieldPos(0)
				p.broken = append(p.broken, "")
			case errors.As(err, &bad):
				line = bad.StartLine
				p.broken = append(p.broken, readRule(err).Error())
			default:
				return fmt.Errorf("audience: read the file after line %d: %w", last, err)
			}
			p.records = append(p.records, record)
			p.lines = append(p.lines, line)
			last = line
		}
		if len(p.records) == 0 {
			return nil
		}
		p.bytes = in.csv.InputOffset()
		for _, out := range []chan<- *parcel{ordered, work} {
			select {
			case out <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// readRule keeps only the rule of a CSV error.
func readRule(err error) error {
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		return errors.New("not as many fields as the header")
	case errors.Is(err, csv.ErrQuote), errors.Is(err, csv.ErrBareQuote):
		return errors.New("a quote in the wrong place (RFC 4180)")
	default:
		return err
	}
}

// limited fails when one record takes more than what is left.
type limited struct {
	r    io.Reader
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, ErrRecord
	}
	n, err := l.r.Read(p)
	l.left -= n
	return n, err
}

// recognise drops a UTF-8 byte order mark and finds the separator: what office
// programs write as CSV depends on the language they speak. A read error shows
// up at the next read.
func recognise(r *bufio.Reader) (comma rune, err error) {
	const mark = "\xef\xbb\xbf"
	head, _ := r.Peek(r.Size())
	if bytes.HasPrefix(head, []byte(mark)) {
		_, _ = r.Discard(len(mark))
		head = head[len(mark):]
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return 0, &HeaderError{"", "this is a workbook (.xlsx, .ods), not CSV; " + saveAs}
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")), bytes.IndexByte(line, 0) >= 0:
		return 0, &HeaderError{"", "the file is in UTF-16, not UTF-8; " + saveAs}
	case bytes.IndexByte(line, ',') >= 0:
		return ',', nil
	case bytes.IndexByte(line, ';') >= 0:
		return ';', nil
	case bytes.IndexByte(line, '\t') >= 0:
		return '\t', nil
	}
	return ',', nil
}

const saveAs = `save it as "CSV UTF-8 (Comma delimited) (*.csv)" in Excel, or as "Text CSV" with the character set "Unicode (UTF-8)" in LibreOffice`
